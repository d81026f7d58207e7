import { describe, expect, it } from 'vitest';
import { memberOfVolumes, memberPlans, memberRecords } from '../../../runner/restore/members';
import { planClaims } from '../../../runner/restore/plan';
import { validate } from '../../../src/contract';
import { RECORD } from '../../../src/contract/record';
import { record } from '../../support/record';

const at = '2026-01-01T02:00:02.000Z';
const cut = (volume: string) => ({
  volume,
  snapshot: `shop-${volume}`,
  seenBy: 'creationTime' as const,
  driverKnown: true,
  askedAt: at,
  seenAt: at,
  restoreSize: '1Gi',
});
const volume = (name: string, member: string) => ({
  name,
  role: 'data' as const,
  claim: `claim-${name}`,
  mountPath: '/data',
  member,
});

const GROUP = record({
  database: 'shop',
  engine: 'group',
  runnerImage: 'stillpoint:1',
  volumes: [volume('data-orders', 'orders'), volume('data-cache', 'cache')],
  cuts: [cut('data-orders'), cut('data-cache')],
  proof: {
    holds: true,
    statement: 'all were held',
    before: { at, facts: { 'orders.pid': '7', 'cache.runId': 'x' } },
    after: { at, facts: { 'orders.pid': '7', 'cache.runId': 'x' } },
  },
  members: [
    {
      name: 'orders',
      of: 'orders',
      engine: 'postgres',
      serverVersion: '17.6',
      position: { lsn: '0/1' },
      statement: 'locked',
    },
    {
      name: 'cache',
      of: 'cache',
      engine: 'redis',
      flavour: 'valkey',
      serverVersion: '8.1',
      settings: { dir: '/data' },
    },
  ],
});

describe('a record of several servers', () => {
  it('fits the schema', () => {
    expect(validate(RECORD, GROUP)).toEqual([]);
  });

  it('is, member by member, what a backup of each alone would have on record', () => {
    const [orders, cache] = memberRecords(GROUP);
    expect(orders).toMatchObject({
      database: 'shop',
      engine: 'postgres',
      serverVersion: '17.6',
      position: { lsn: '0/1' },
      volumes: [{ name: 'data-orders' }],
      cuts: [{ volume: 'data-orders' }],
      proof: { holds: true, statement: 'locked', before: { facts: { pid: '7' } }, after: { facts: { pid: '7' } } },
    });
    expect(cache).toMatchObject({ engine: 'redis', flavour: 'valkey', settings: { dir: '/data' } });
    expect(cache?.position).toBeUndefined();
    for (const each of [orders, cache]) {
      expect(each?.members).toBeUndefined();
      expect(validate(RECORD, each)).toEqual([]);
    }
  });

  it('of one server is itself', () => {
    const single = record();
    expect(memberRecords(single)).toEqual([single]);
  });

  it('is planned as one restore with a part for each server, all under one name', () => {
    const plan = planClaims(GROUP, { claims: ['copy'], sizes: [] });
    const parts = memberPlans(plan);
    expect(parts.map(({ name, of }) => ({ name, of }))).toEqual([
      { name: 'copy-orders', of: 'copy' },
      { name: 'copy-cache', of: 'copy' },
    ]);
    expect(parts.map(({ volumes }) => volumes.map(({ claim }) => claim))).toEqual([
      ['copy-data-orders'],
      ['copy-data-cache'],
    ]);
    expect(parts.map((part) => part.record.engine)).toEqual(['postgres', 'redis']);
  });

  it('knows whose volumes are named', () => {
    expect(memberOfVolumes(GROUP, ['data-cache'])?.name).toBe('cache');
    expect(memberOfVolumes(GROUP, ['data-cache', 'data-orders'])).toBeUndefined();
    expect(memberOfVolumes(GROUP, ['nothing'])).toBeUndefined();
  });
});
