/** Backups of which there are only handles: whose volume each is, and the record that is made of them. */
import { describe, expect, it } from 'vitest';
import { engine as nuodb } from '../../../runner/engines/nuodb';
import { type BareWords, bareId, bareSnapshots, planBareHandles } from '../../../runner/travel/bare';
import { resourceIn } from '../../../runner/travel/resource-file';
import { RECORD, validate } from '../../../src/contract';

const facts = { at: new Date('2026-02-01T00:00:00Z'), by: 'admin', runnerVersion: '0.1.0' };
const volumes = nuodb.restore.bareVolumes ?? [];
const words = (handles: readonly string[], more: Partial<BareWords> = {}): BareWords => {
  return { handles, sizes: [], volume: 'data', ...more };
};
const pair = ['journal=snap-j', 'archive=snap-a'];

describe('handles', () => {
  it('of NuoDB are of the volumes that they name, the archive first, where its chart mounts them', () => {
    expect(bareSnapshots(words(pair, { sizes: ['journal=2Gi', '5Gi'] }), 'nuodb', volumes)).toEqual([
      { name: 'archive', role: 'data', mountPath: '/var/opt/nuodb/archive', handle: 'snap-a', size: '5Gi' },
      { name: 'journal', role: 'log', mountPath: '/var/opt/nuodb/journal', handle: 'snap-j', size: '2Gi' },
    ]);
  });

  it('alone are of a database on one volume', () => {
    expect(bareSnapshots(words(['a=b/c=d']), 'nuodb', volumes)).toEqual([
      { name: 'archive', role: 'data', mountPath: '/var/opt/nuodb/archive', handle: 'a=b/c=d' },
    ]);
    expect(bareSnapshots(words(['archive=x'], { mountPath: '/data' }), 'postgres', [])).toEqual([
      { name: 'data', role: 'data', mountPath: '/data', handle: 'archive=x' },
    ]);
  });

  it.each<[string, BareWords, RegExp]>([
    ['half of a pair', words(['archive=snap-a']), /volume journal of nuodb has no handle/],
    ['two of one volume', words([...pair, 'journal=other']), /volume journal of nuodb has 2 handles/],
    ['named and not', words(['archive=snap-a', 'snap-j']), /some are not/],
    ['two without names', words(['snap-a', 'snap-j']), /2 handles are given/],
    ['a size of another volume', words(pair, { sizes: ['data=1Gi'] }), /no volume data/],
  ])('are refused: %s', (_, given, message) => {
    expect(() => bareSnapshots(given, 'nuodb', volumes)).toThrow(message);
  });

  it('of other engines need the path of the volume, and are one', () => {
    expect(() => bareSnapshots(words(['x']), 'postgres', [])).toThrow(/--mount-path/);
    expect(() => bareSnapshots(words(pair, { mountPath: '/d' }), 'postgres', [])).toThrow(/imported by one$/);
  });

  it.each([
    ['20261126020000', undefined, '20261126020000'],
    [undefined, '/backups/acme/messaging/demo/20241004095616', '20241004095616'],
    ['20261126020000', '/backups/acme/messaging/demo/nightly', '20261126020000'],
    [undefined, undefined, undefined],
  ])('with the id %s and the path %s are called %s', (id, path, name) => {
    expect(bareId(id, path)).toBe(name);
  });

  it('are refused under a name that is no id', () => {
    expect(() => bareId(undefined, '/backups/acme/messaging/demo/nightly')).toThrow(/"nightly" is no id/);
  });
});

describe('the record of bare handles', () => {
  const plan = (handles: readonly string[], sizes: readonly string[] = []) => {
    const snapshots = bareSnapshots(words(handles, { sizes }), 'nuodb', volumes);
    const bare = { id: '20260201000000', namespace: 'there', driver: 'disk.test', database: 'demo' };
    return planBareHandles({ ...bare, engine: 'nuodb', snapshots }, facts);
  };

  it('has a snapshot of each, and says that nothing proves them', () => {
    const { record, snapshots } = plan(pair, ['1Gi']);
    expect(validate(RECORD, record)).toEqual([]);
    expect(snapshots.map(({ volume, handle, snapshot }) => [volume, handle, snapshot])).toEqual([
      ['archive', 'snap-a', 'demo-archive-20260201000000'],
      ['journal', 'snap-j', 'demo-journal-20260201000000'],
    ]);
    expect(record.volumes).toMatchObject([
      { name: 'archive', role: 'data', capacity: '1Gi' },
      { name: 'journal', role: 'log', capacity: '1Gi' },
    ]);
    expect(record.warnings).toEqual([expect.stringMatching(/archive and journal: .*unless they are of one backup/)]);
    expect([record.proof, record.position]).toEqual([undefined, undefined]);
  });

  it('of one handle says that nothing proves that', () => {
    expect(plan(['snap-a']).record.warnings).toEqual([
      expect.stringMatching(/^imported by its handle: .*nothing proves that it is consistent$/),
    ]);
  });

  it.each<[readonly string[], readonly string[], RegExp]>([
    [pair, ['journal=0'], /"0" is no size/],
    [pair, ['much'], /"much" is no size/],
    [['archive=', 'journal=x'], [], /volume archive has an empty handle/],
  ])('is refused of %j with the sizes %j', (handles, sizes, message) => {
    expect(() => plan(handles, sizes)).toThrow(message);
  });
});

describe('the file of a resource', () => {
  const text = [
    'apiVersion: cp.nuodb.com/v1beta1',
    'kind: Database',
    'metadata: {name: acme-messaging-demo, uid: 1-2, labels: {tier: gold, number: 3}}',
    'spec: {dbName: demo, dbaPassword: hush, passwordRef: {name: dba}, archiveVolume: {volumeSize: 1Gi}}',
    'status: {ready: true}',
  ].join('\n');
  const path = '/backups/acme/messaging/demo/20241004095616';

  it('is read without passwords, and without what the cluster alone knows', () => {
    expect(resourceIn(text, 'it.yaml', path)).toEqual({
      ...{ apiVersion: 'cp.nuodb.com/v1beta1', kind: 'Database', name: 'acme-messaging-demo', path },
      labels: { tier: 'gold' },
      spec: { dbName: 'demo', passwordRef: { name: 'dba' }, archiveVolume: { volumeSize: '1Gi' } },
    });
    expect(resourceIn(text, 'it.yaml', undefined)).not.toHaveProperty('path');
  });

  it.each<[string, string, string | undefined, RegExp]>([
    ['no YAML', 'a: [', undefined, /it.yaml is no resource .*: it is no YAML/],
    ['a list', '[]', undefined, /apiVersion, kind or metadata.name is missing/],
    ['one without a name', 'apiVersion: v1\nkind: Database\nmetadata: {}', undefined, /metadata.name is missing/],
    ['aliases', 'a: &a [x]\nb: [*a, *a]\n', undefined, /no YAML: .*alias/i],
    ['more than any resource', ' '.repeat(1024 * 1024 + 1), undefined, /larger than 1 MiB/],
    ['a path of less', text, '/backups/acme/demo', /is not what a control plane calls a backup/],
    ['a path that leads elsewhere', text, '/backups/acme/../demo/x', /is not what a control plane calls a backup/],
  ])('is refused: %s', (_, content, called, message) => {
    expect(() => resourceIn(content, 'it.yaml', called)).toThrow(message);
  });
});
