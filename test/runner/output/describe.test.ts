import { expect, it } from 'vitest';
import { describeRecord } from '../../../runner/output/records';
import { recordWith } from '../../support/records';

const NOW = new Date('2026-11-21T03:00:00.000Z');
const TIMES = {
  started: '2026-11-21T02:00:00.000Z',
  frozen: '2026-11-21T02:00:01.000Z',
  firstAsked: '2026-11-21T02:00:01.100Z',
  thawed: '2026-11-21T02:00:02.000Z',
};

it('tells when a database stood still', () => {
  const said = describeRecord(recordWith({ times: TIMES, freezes: 'writes', freezeWindowMs: 1000 }), NOW);
  expect(said).toMatch(/^ +frozen: +2026-11-21T02:00:01.000Z/m);
  expect(said).toMatch(/^ +thawed: +2026-11-21T02:00:02.000Z/m);
});

it('tells of no freeze where nothing stood still', () => {
  const said = describeRecord(recordWith({ times: TIMES, freezes: 'nothing', freezeWindowMs: 1000 }), NOW);
  expect(said).toMatch(/^ +firstAsked: +2026-11-21T02:00:01.100Z/m);
  expect(said).not.toMatch(/frozen:|thawed:/);
  expect(said).toMatch(/^Held: +nothing/m);
});

it('says of an imported dump whose it is, and of no export', () => {
  const imported = {
    at: '2026-01-03T00:00:00.000Z',
    from: { clusterUid: 'c', namespace: 'shop', database: 'db' },
    ownsData: false,
  };
  const text = describeRecord(recordWith({ mode: 'dump', imported }), new Date('2026-01-04T00:00:00Z'));
  expect(text).toMatch(/From: +shop\/db in cluster c\n/);
});
