import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { KubeClient } from '../../../runner/kube/client';
import { KubernetesRemover } from '../../../runner/kube/pruning';
import type { SnapshotStore, Volume } from '../../../runner/ports';
import { KubernetesSnapshots } from '../../../runner/snapshots/kubernetes';
import { KINDS, list, patch, read } from '../harness/cluster';
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import { connect, cutRequest, keptLog, makeRetainClass, makeVolumes, recordOf, snapshotsOnStorage } from './fixture';

let space: TestNamespace;
let client: KubeClient;
let volumes: readonly Volume[];
const log = keptLog();

beforeAll(async () => {
  space = await makeNamespace('group');
  client = await connect();
  volumes = await makeVolumes(space.name, ['data', 'wal'], { group: 'orders' });
});

afterAll(() => space[Symbol.asyncDispose]());

const store = (groupClassName: string): SnapshotStore =>
  new KubernetesSnapshots({ client, namespace: space.name, groupClassName, clock: systemClock, log });
const seconds = (count: number): AbortSignal => AbortSignal.timeout(count * 1000);

test('a group is cut at one instant, and its members are found when they are ready', async () => {
  const request = cutRequest(volumes, 'together');
  const disk = store('disk');
  const name = `orders-db-${request.id}`;
  expect(disk.names(request)).toEqual([name]);
  const cuts = await disk.cut(request, seconds(60));
  expect(cuts.map(({ volume, group, handle }) => ({ volume, group, handle }))).toEqual([
    { volume: 'data', group: name, handle: expect.any(String) },
    { volume: 'wal', group: name, handle: expect.any(String) },
  ]);
  const ready = await disk.ready(cuts, seconds(60));
  for (const cut of ready) {
    const member = await read(KINDS.snapshot, cut.snapshot, space.name);
    expect(member?.metadata?.uid).toBe(cut.uid);
    expect(member?.spec.source.persistentVolumeClaimName).toBe(cut.claim);
    expect(member?.status).toMatchObject({ readyToUse: true, boundVolumeSnapshotContentName: cut.content });
    expect(await snapshotsOnStorage()).toContain(cut.handle);
  }
  // As the next run does it when this one never came to its end: the members carry no labels to be found by.
  const record = recordOf(space.name, request, { cuts, layout: 'group' });
  expect(await disk.find(record)).toEqual(cuts);
  expect(await disk.find({ ...record, cuts: cuts.map((cut) => ({ ...cut, groupUid: 'another' })) })).toEqual([]);
  expect(await disk.discard({ id: request.id, jobUid: 'another', names: [name] })).toEqual([]);
  expect(await read(KINDS.groupSnapshot, name, space.name)).toBeDefined();
  expect(await disk.discard({ id: request.id, jobUid: request.jobUid, names: [name] })).toEqual([]);
  expect(await read(KINDS.groupSnapshot, name, space.name)).toBeUndefined();
  for (const { handle } of ready) expect(await snapshotsOnStorage()).not.toContain(handle);
});

test('a group whose class retains it is removed for good with its record', async () => {
  await using kept = await makeRetainClass('VolumeGroupSnapshotClass');
  const request = cutRequest(volumes, 'together');
  const disk = store(kept.name);
  const cuts = await disk.ready(await disk.cut(request, seconds(60)), seconds(60));
  const record = recordOf(space.name, request, { cuts, layout: 'group', plannedSnapshots: disk.names(request) });
  const remover = new KubernetesRemover(client, { clock: systemClock, log });
  expect(await remover.remove({ record, version: '', deletionRequested: false })).toEqual([]);
  expect(await read(KINDS.groupSnapshot, `orders-db-${request.id}`, space.name)).toBeUndefined();
  expect(await list(KINDS.snapshot, space.name)).toEqual([]);
  for (const { handle, content } of cuts) {
    expect(await read(KINDS.snapshotContent, content ?? '')).toBeUndefined();
    expect(await snapshotsOnStorage()).not.toContain(handle);
  }
});

test('a selector that would select too much, or nothing, is found by the checks', async () => {
  const ok = await store('disk').check(volumes, 'together');
  expect(ok.filter(({ severity }) => severity === 'error')).toEqual([]);
  await makeVolumes(space.name, ['other'], { group: 'orders' });
  expect(await store('disk').check(volumes, 'together')).toContainEqual(
    expect.objectContaining({ code: 'volume-mismatch', message: expect.stringContaining('other') }),
  );
  await patch(KINDS.claim, 'other', space.name, { metadata: { labels: { group: null } } });
  const bare = volumes.map((volume) => ({ ...volume, claimLabels: {} }));
  expect(await store('disk').check(bare, 'together')).toContainEqual(
    expect.objectContaining({ code: 'volume-mismatch', message: expect.stringContaining('no label in common') }),
  );
  // The cluster has but one driver: the other is one by its name alone.
  const mixed = volumes.map((volume, index) => (index === 0 ? volume : { ...volume, driver: 'other.test' }));
  expect(await store('disk').check(mixed, 'together')).toContainEqual(
    expect.objectContaining({
      severity: 'error',
      code: 'class-driver-mismatch',
      hint: expect.stringContaining('without groupSnapshotClass each is cut by itself'),
    }),
  );
  expect(await store('no-such-class').check(volumes, 'together')).toContainEqual(
    expect.objectContaining({ code: 'class-not-found', message: expect.stringContaining('no-such-class') }),
  );
});

test('a group that was cut of other volumes than were meant is no cut', async () => {
  const request = cutRequest(volumes.slice(0, 1), 'together');
  const disk = store('disk');
  await expect(disk.cut(request, seconds(60))).rejects.toMatchObject({
    code: 'cut-failed',
    message: expect.stringContaining(`${volumes[1]?.volumeHandle}`),
  });
  expect(await disk.discard({ id: request.id, jobUid: request.jobUid, names: disk.names(request) })).toEqual([]);
});
