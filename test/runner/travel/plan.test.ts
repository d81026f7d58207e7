import { describe, expect, it } from 'vitest';
import { chooseClass } from '../../../runner/kube/import/snapshot-class';
import type { SnapshotClass } from '../../../runner/snapshots/objects';
import { differenceFrom, type ImportPlan, importedWith, planCopy, planImport } from '../../../runner/travel/plan';
import { type BackupRecord, type Cut, type ExportedBackup, RECORD, validate } from '../../../src/contract';
import { record } from '../../support/record';

const cut: Cut = {
  volume: 'data',
  snapshot: 'theirs',
  uid: 'their-uid',
  content: 'their-content',
  driver: 'disk.test',
  handle: 'snap-1',
  seenBy: 'creationTime',
  driverKnown: true,
  askedAt: '2026-01-01T02:00:02Z',
  seenAt: '2026-01-01T02:00:03Z',
};
const theirs = record({
  cuts: [cut],
  clusterUid: 'their-cluster',
  runnerImage: 'stillpoint:1',
  workload: { image: 'postgres:17', podSecurity: { runAsUser: 999 } },
  leftovers: ['volumesnapshotcontent/ours'],
  plannedSnapshots: ['ours'],
  retention: { protected: true },
  held: [],
  group: 'their-group',
  imported: { at: '2026-01-01T00:00:00Z', from: {}, ownsData: true },
});
const document: ExportedBackup = {
  apiVersion: 'stillpoint.dev/v1',
  kind: 'ExportedBackup',
  exported: { at: '2026-01-02T00:00:00Z', registry: 'stillpoint', runnerVersion: '0.1.0' },
  snapshots: [{ volume: 'data', driver: 'disk.test', handle: 'snap-1', restoreSize: '1Gi' }],
  record: theirs,
};
const facts = { at: new Date('2026-02-01T00:00:00Z'), by: 'admin', runnerVersion: '0.2.0' };
const trusted = { ...facts, verifiedBy: 'SHA256:0' };
const plan = (change: Partial<ExportedBackup> = {}, wishes = {}, known = trusted as typeof facts): ImportPlan =>
  planImport({ ...document, ...change }, { namespace: 'there', ...wishes }, known);

describe('the plan of an import', () => {
  it('has names, labels and an owner of our own, and of the file what a restore needs', () => {
    const { record: ours, snapshots } = plan();
    expect(validate(RECORD, ours)).toEqual([]);
    expect(ours).toMatchObject({
      namespace: 'there',
      id: theirs.id,
      phase: 'succeeded',
      runnerImage: 'stillpoint:1',
      workload: theirs.workload,
      imported: {
        by: 'admin',
        from: { clusterUid: 'their-cluster', namespace: 'shop', database: 'orders-db', registry: 'stillpoint' },
        verifiedBy: 'SHA256:0',
        ownsData: false,
      },
    });
    expect(snapshots).toEqual([
      expect.objectContaining({
        snapshot: 'orders-db-data-20260101020000',
        content: 'stillpoint-import.there.orders-db-data-20260101020000',
        handle: 'snap-1',
      }),
    ]);
    expect(snapshots[0]?.cut).not.toHaveProperty('uid');
    expect(snapshots[0]?.cut).not.toHaveProperty('content');
  });

  it('takes over nothing by which something is deleted, undone, kept, or restored together', () => {
    for (const name of ['leftovers', 'plannedSnapshots', 'retention', 'held', 'group']) {
      expect(plan().record).not.toHaveProperty(name);
    }
    expect(plan().record.owner).not.toEqual(theirs.owner);
  });

  it('takes no image from a file that nobody vouches for, but those that are named', () => {
    const unsigned = plan({}, {}, facts).record;
    expect(unsigned).not.toHaveProperty('runnerImage');
    expect(unsigned.workload).toEqual({ podSecurity: { runAsUser: 999 } });
    const named = plan({}, { image: 'mine:1', serverImage: 'postgres:17.1' }, facts).record;
    expect(named).toMatchObject({ runnerImage: 'mine:1', workload: { image: 'postgres:17.1' } });
  });

  it('is owned by what is imported, so that a second run finds the first one’s', () => {
    expect(plan().record.owner).toEqual(plan({}, {}, { ...trusted, at: new Date() }).record.owner);
    const other = plan({ snapshots: [{ volume: 'data', driver: 'disk.test', handle: 'snap-2' }] });
    expect(other.record.owner).not.toEqual(plan().record.owner);
    expect(plan({}, { database: 'else' }).record.owner).not.toEqual(plan().record.owner);
  });

  it.each<[string, () => ImportPlan, RegExp]>([
    ['a volume without a snapshot', () => plan({ snapshots: [] }), /no snapshot of volume data/],
    [
      'a snapshot without a volume',
      () => plan({ snapshots: [...document.snapshots, { volume: 'log', driver: 'd', handle: 'h' }] }),
      /snapshot of volume log too many/,
    ],
    ['a database that is no name', () => plan({}, { database: '../other' }), /"..\/other" is no name for a database/],
    [
      'a volume that is no name',
      () =>
        plan({
          record: { ...theirs, volumes: [{ name: 'a/b', role: 'data', claim: 'c' }] },
          snapshots: [{ volume: 'a/b', driver: 'd', handle: 'h' }],
        }),
      /"a\/b" is no name for a volume/,
    ],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});

describe('the plan of the import of a dump', () => {
  const object = {
    key: 'stillpoint/shop/orders-db/20260101020000/dump.sql.zst',
    location: 's3://b/stillpoint/shop/orders-db/20260101020000/dump.sql.zst',
    ...{ bytes: 5, sha256: 'a'.repeat(64), plainBytes: 9, plainSha256: 'b'.repeat(64), compression: 'zstd' },
  };
  const dumped = {
    ...theirs,
    ...{ mode: 'dump', cuts: [], volumes: [], objects: [object], plannedObjects: [object.key, 'somebody/else.sql'] },
    ...{
      dump: { tool: 'pg_dumpall 17', image: 'theirs:1' },
      store: { kind: 's3', s3: { bucket: 'b' } },
      storeName: 'b',
    },
  } as BackupRecord;
  const of = (change: Partial<BackupRecord> = {}): BackupRecord =>
    planCopy({ ...dumped, ...change }, { namespace: 'there' }, facts).record;

  it('has what a restore reads and compares, under a name of our own', () => {
    expect(validate(RECORD, of())).toEqual([]);
    expect(of()).toMatchObject({
      ...{ namespace: 'there', mode: 'dump', phase: 'succeeded', objects: [object], storeName: 'b', cuts: [] },
      imported: { from: { clusterUid: 'their-cluster', namespace: 'shop', database: 'orders-db' }, ownsData: false },
    });
  });

  it('takes over no image, and nothing by which something is deleted', () => {
    expect(JSON.stringify(of())).not.toMatch(/theirs:1|stillpoint:1|postgres:17|somebody/);
    expect(of()).not.toHaveProperty('workload');
  });

  it('is refused without an object', () => {
    expect(() => of({ objects: [] })).toThrow(/names no object of a store/);
  });

  it('is told from that of another dump', () => {
    const again = planCopy(dumped, { namespace: 'there' }, facts);
    expect(differenceFrom(of(), again)).toBeUndefined();
    const other = of({ objects: [{ ...object, sha256: 'c'.repeat(64) }] });
    expect(differenceFrom(other, again)).toMatch(/its dump is another one than s3:/);
  });
});

describe('what is there already', () => {
  const there = importedWith(plan(), [{ ...cut, snapshot: 'ours' }], []);

  it.each<[string, BackupRecord, RegExp | undefined]>([
    ['the same', there, undefined],
    ['taken here', { ...there, imported: undefined }, /was not imported/],
    ['on its way out', { ...there, phase: 'deleting' }, /it is deleting/],
    ['of another snapshot', { ...there, cuts: [{ ...cut, handle: 'snap-9' }] }, /another one than snap-1/],
    ['of another driver', { ...there, cuts: [{ ...cut, driver: 'other' }] }, /another one than snap-1/],
    ['of more volumes', { ...there, cuts: [cut, { ...cut, volume: 'log' }] }, /other volumes/],
  ])('%s', (_, found, difference) => {
    const answer = differenceFrom(found, plan());
    if (difference === undefined) expect(answer).toBeUndefined();
    else expect(answer).toMatch(difference);
  });
});

describe('the class of an import', () => {
  const named = (name: string, driver: string, isDefault = false): SnapshotClass => ({
    metadata: {
      name,
      annotations: isDefault ? { 'snapshot.storage.kubernetes.io/is-default-class': 'true' } : {},
    },
    driver,
    deletionPolicy: 'Delete',
  });
  const of = [{ driver: 'a' }];

  it.each<[string, readonly SnapshotClass[], string | undefined, string]>([
    ['the only one of the driver', [named('x', 'a'), named('y', 'b', true)], undefined, 'x'],
    ['the default among several', [named('x', 'a'), named('y', 'a', true)], undefined, 'y'],
    ['the one that is named', [named('x', 'a')], 'x', 'x'],
  ])('is %s', (_, classes, name, expected) => {
    expect(chooseClass(classes, of, name).metadata.name).toBe(expected);
  });

  it.each<[string, readonly SnapshotClass[], string | undefined, RegExp]>([
    ['none of the driver', [named('y', 'b')], undefined, /no VolumeSnapshotClass of driver a/],
    [
      'several without a default',
      [named('x', 'a'), named('z', 'a')],
      undefined,
      /several VolumeSnapshotClasses.*: x, z/,
    ],
    [
      'several defaults',
      [named('x', 'a', true), named('z', 'a', true)],
      undefined,
      /none or more than one is the default/,
    ],
    ['one that is not there', [], 'x', /there is no VolumeSnapshotClass x/],
    ['one of another driver', [named('y', 'b')], 'y', /is of driver b, but the snapshot is of a/],
  ])('is refused: %s', (_, classes, name, message) => {
    expect(() => chooseClass(classes, of, name)).toThrow(message);
  });
});
