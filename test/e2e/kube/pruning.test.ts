import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { KubeClient } from '../../../runner/kube/client';
import { KubernetesRemover } from '../../../runner/kube/pruning';
import type { SnapshotStore } from '../../../runner/ports';
import { KubernetesSnapshots } from '../../../runner/snapshots/kubernetes';
import { type BackupRecord, LABELS } from '../../../src/contract';
import { KINDS, list, read, remove } from '../harness/cluster';
import { makeNamespace } from '../harness/namespace';
import { eventually } from '../harness/wait';
import { connect, cutRequest, keptLog, makeRetainClass, makeVolumes, recordOf, snapshotsOnStorage } from './fixture';

let client: KubeClient;
let kept: Awaited<ReturnType<typeof makeRetainClass>>;
const log = keptLog();

beforeAll(async () => {
  client = await connect();
  kept = await makeRetainClass('VolumeSnapshotClass');
});

afterAll(() => kept[Symbol.asyncDispose]());

const store = (namespace: string, className: string): SnapshotStore =>
  new KubernetesSnapshots({ client, namespace, className, clock: systemClock, log });
const seconds = (count: number): AbortSignal => AbortSignal.timeout(count * 1000);
const removeFor = (record: BackupRecord, patienceMs?: number): Promise<readonly string[]> =>
  new KubernetesRemover(client, { clock: systemClock, log, patienceMs }).remove({
    record,
    version: '',
    deletionRequested: false,
  });

test('a record is removed with its snapshots, contents and what the storage has, although the class retains them', async () => {
  await using space = await makeNamespace('prune');
  const volumes = await makeVolumes(space.name, ['data']);
  const disk = store(space.name, kept.name);
  const request = cutRequest(volumes);
  const other = cutRequest(volumes);
  const cuts = await disk.ready(await disk.cut(request, seconds(60)), seconds(60));
  const others = await disk.cut(other, seconds(60));
  expect(await removeFor(recordOf(space.name, request, { cuts }))).toEqual([]);
  expect(await read(KINDS.snapshot, cuts[0]?.snapshot ?? '', space.name)).toBeUndefined();
  expect(await read(KINDS.snapshotContent, cuts[0]?.content ?? '')).toBeUndefined();
  const found = await snapshotsOnStorage();
  expect(found).not.toContain(cuts[0]?.handle);
  expect(found).toContain(others[0]?.handle);
});

test('rule 14: what outlived its namespace is removed too', async () => {
  const request = await (async () => {
    await using space = await makeNamespaceThatIsDeleted();
    const volumes = await makeVolumes(space.name, ['data']);
    const disk = store(space.name, kept.name);
    const asked = cutRequest(volumes);
    const cuts = await disk.ready(await disk.cut(asked, seconds(60)), seconds(60));
    return { asked, cuts, namespace: space.name };
  })();
  const { asked, cuts, namespace } = request;
  expect(await read(KINDS.namespace, namespace)).toBeUndefined();
  expect((await read(KINDS.snapshotContent, cuts[0]?.content ?? ''))?.status?.snapshotHandle).toBe(cuts[0]?.handle);
  expect(await removeFor(recordOf(namespace, asked, { cuts }))).toEqual([]);
  expect(await read(KINDS.snapshotContent, cuts[0]?.content ?? '')).toBeUndefined();
  expect(await snapshotsOnStorage()).not.toContain(cuts[0]?.handle);
});

test('what a lost runner or a deletion in the midst of a cut left behind is removed by name', async () => {
  await using late = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: '5000' });
  await using space = await makeNamespace('prune');
  const volumes = await makeVolumes(space.name, ['data']);
  const disk = store(space.name, late.name);
  const request = cutRequest(volumes);
  const [name = ''] = disk.names(request);
  const lost = expect(disk.cut(request, seconds(60))).rejects.toMatchObject({ code: 'cut-lost' });
  const snapshot = await eventually('the snapshot is bound', async () => {
    const found = await read(KINDS.snapshot, name, space.name);
    return found?.status?.boundVolumeSnapshotContentName === undefined ? undefined : found;
  });
  await remove(KINDS.snapshot, name, space.name);
  await lost;
  const content = snapshot.status.boundVolumeSnapshotContentName;
  const left = await disk.discard({ id: request.id, jobUid: request.jobUid, names: [name] });
  expect(left).toEqual([`volumesnapshotcontent/${content}`]);
  // The record of a lost runner has neither UIDs nor contents: only the names that it was going to ask for.
  const record = recordOf(space.name, request, { plannedSnapshots: [name], leftovers: left });
  expect(await removeFor(record)).toEqual([]);
  expect(await read(KINDS.snapshotContent, content)).toBeUndefined();
  expect(await snapshotsOnStorage()).not.toContain(`snap-${snapshot.metadata?.uid}`);
});

test('what a failed attempt has left goes, and the backup that the next attempt made stays', async () => {
  await using space = await makeNamespace('prune');
  const request = cutRequest(await makeVolumes(space.name, ['data']));
  const disk = store(space.name, kept.name);
  const [first] = await disk.cut(request, seconds(60));
  const record = recordOf(space.name, request, {});
  const leftovers = await disk.discard({ id: record.id, jobUid: record.owner.jobUid, names: disk.names(request) });
  expect(leftovers).toEqual([`volumesnapshotcontent/${first?.content}`]);

  const cuts = await disk.ready(await disk.cut(request, seconds(60)), seconds(60));
  const good = `volumesnapshotcontent/${cuts[0]?.content}`;
  const stored = {
    record: { ...record, cuts, leftovers: [...leftovers, good] },
    version: '',
    deletionRequested: false,
  };
  expect(await new KubernetesRemover(client, { clock: systemClock, log }).removeLeftovers(stored)).toEqual([]);
  const found = await snapshotsOnStorage();
  expect(found).not.toContain(first?.handle);
  expect(found).toContain(cuts[0]?.handle);
  expect((await read(KINDS.snapshotContent, cuts[0]?.content ?? ''))?.spec.deletionPolicy).toBe('Retain');
});

test('rule 9: a snapshot of the same name that is not ours is never touched, nor is its content', async () => {
  await using space = await makeNamespace('prune');
  const volumes = await makeVolumes(space.name, ['data']);
  const disk = store(space.name, kept.name);
  const request = cutRequest(volumes);
  const cuts = await disk.ready(await disk.cut(request, seconds(60)), seconds(60));
  const record = recordOf(space.name, { ...request, jobUid: 'another' }, { plannedSnapshots: disk.names(request) });
  expect(await removeFor(record)).toEqual([]);
  expect(await list(KINDS.snapshot, space.name, `${LABELS.backup}=${request.id}`)).toHaveLength(1);
  expect((await read(KINDS.snapshotContent, cuts[0]?.content ?? ''))?.spec.deletionPolicy).toBe('Retain');
  expect(await snapshotsOnStorage()).toContain(cuts[0]?.handle);
});

test('what cannot be removed in time is named', async () => {
  await using space = await makeNamespace('prune');
  const volumes = await makeVolumes(space.name, ['data']);
  const disk = store(space.name, 'disk-late');
  const request = cutRequest(volumes);
  const cutting = disk.cut(request, AbortSignal.timeout(1_000)).catch(() => undefined);
  await cutting;
  const [name = ''] = disk.names(request);
  const left = await removeFor(recordOf(space.name, request, { plannedSnapshots: [name] }), 1_000);
  expect(left.join(' ')).toMatch(/volumesnapshotcontent\/snapcontent-|volumesnapshot\/orders-db/);
  await eventually('a later prune removes the rest', async () => {
    return (await removeFor(recordOf(space.name, request, { plannedSnapshots: [name], leftovers: left }))).length === 0;
  });
  const contents = await list(KINDS.snapshotContent);
  expect(contents.filter(({ spec }) => spec.volumeSnapshotRef.namespace === space.name)).toEqual([]);
});

/** A namespace that somebody deletes by mistake: with everything in it, and nothing besides. */
async function makeNamespaceThatIsDeleted(): Promise<AsyncDisposable & { readonly name: string }> {
  const { name } = await makeNamespace('deleted');
  return {
    name,
    [Symbol.asyncDispose]: async () => {
      await remove(KINDS.namespace, name);
      await eventually('the namespace is gone', async () => (await read(KINDS.namespace, name)) === undefined, {
        seconds: 180,
      });
    },
  };
}
