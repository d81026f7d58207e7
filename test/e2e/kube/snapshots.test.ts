import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { StillpointError } from '../../../runner/errors';
import type { KubeClient } from '../../../runner/kube/client';
import type { SnapshotStore, Volume } from '../../../runner/ports';
import { KubernetesSnapshots } from '../../../runner/snapshots/kubernetes';
import { contentName } from '../../../runner/snapshots/objects';
import { ANNOTATIONS, LABELS } from '../../../src/contract';
import { apply, KINDS, list, read, remove } from '../harness/cluster';
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import { eventually } from '../harness/wait';
import { connect, cutRequest, keptLog, makeRetainClass, makeVolumes, recordOf, snapshotsOnStorage } from './fixture';

let space: TestNamespace;
let client: KubeClient;
let volumes: readonly Volume[];
const log = keptLog();

beforeAll(async () => {
  space = await makeNamespace('snapshots');
  client = await connect();
  volumes = await makeVolumes(space.name, ['data', 'wal']);
});

afterAll(() => space[Symbol.asyncDispose]());

const store = (className?: string): SnapshotStore =>
  new KubernetesSnapshots({ client, namespace: space.name, className, clock: systemClock, log });
const data = (): readonly Volume[] => volumes.slice(0, 1);
const seconds = (count: number): AbortSignal => AbortSignal.timeout(count * 1000);
const budget = (ms: number): AbortSignal => {
  const controller = new AbortController();
  systemClock.after(ms, () =>
    controller.abort(new StillpointError('budget-exceeded', 'the budget of the test is over')),
  );
  return controller.signal;
};

describe('a cut', () => {
  test('is seen with all that the record keeps of it, in few requests', async () => {
    const request = cutRequest(data());
    const before = client.requestCount;
    const disk = store('disk');
    const [cut] = await disk.cut(request, seconds(60));
    // One to ask, a list and a watch each for the snapshot and its content; a watch that breaks is opened again.
    expect(client.requestCount - before).toBeLessThanOrEqual(9);
    const name = `orders-db-data-${request.id}`;
    const snapshot = await read(KINDS.snapshot, name, space.name);
    expect(snapshot?.metadata).toMatchObject({
      labels: { [LABELS.backup]: request.id, [LABELS.volume]: 'data' },
      annotations: { [ANNOTATIONS.jobUid]: request.jobUid },
    });
    expect(snapshot?.spec).toMatchObject({
      source: { persistentVolumeClaimName: 'data' },
      volumeSnapshotClassName: 'disk',
    });
    const uid = snapshot?.metadata?.uid;
    expect(cut).toMatchObject({
      volume: 'data',
      claim: 'data',
      snapshot: name,
      uid,
      content: contentName(`${uid}`),
      driver: 'disk.test',
      handle: `snap-${uid}`,
      seenBy: 'creationTime',
      driverKnown: false,
    });
    // The content's time, at the latest when all is ready: that of the snapshot, which may be seen first, has whole seconds.
    const [ready] = await disk.ready(cut === undefined ? [] : [cut], seconds(60));
    expect(ready?.cutAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{4,9}Z$/);
    expect(await snapshotsOnStorage()).toContain(cut?.handle);
  });

  test('of several volumes is asked for at once and seen of each', async () => {
    const cuts = await store('disk').cut(cutRequest(volumes), seconds(60));
    expect(cuts.map(({ volume }) => volume)).toEqual(['data', 'wal']);
    expect(new Set(cuts.map(({ askedAt }) => askedAt)).size).toBe(1);
    const found = await snapshotsOnStorage();
    for (const { handle } of cuts) expect(found).toContain(handle);
  });

  test('is seen long before the snapshot is ready', async () => {
    const request = cutRequest(data());
    const slow = store('disk-slow');
    const cuts = await slow.cut(request, seconds(60));
    const name = cuts[0]?.snapshot ?? '';
    expect((await read(KINDS.snapshot, name, space.name))?.status?.readyToUse).not.toBe(true);
    const [ready] = await slow.ready(cuts, seconds(120));
    expect(ready).toMatchObject({ snapshot: name, restoreSize: '64Mi', uid: cuts[0]?.uid, handle: cuts[0]?.handle });
    expect(Date.parse(ready?.readyAt ?? '') - Date.parse(ready?.seenAt ?? '')).toBeGreaterThan(10_000);
    expect((await read(KINDS.snapshot, name, space.name))?.status?.readyToUse).toBe(true);
  });

  test('is lost when somebody deletes the snapshot meanwhile', async () => {
    const request = cutRequest(data());
    const late = store('disk-late');
    const lost = expect(late.cut(request, seconds(60))).rejects.toMatchObject({ code: 'cut-lost' });
    const name = `orders-db-data-${request.id}`;
    await eventually('the snapshot is there', () => read(KINDS.snapshot, name, space.name));
    await remove(KINDS.snapshot, name, space.name);
    await lost;
  });

  test('rule 9: fails when the name is taken, and what has it is left alone', async () => {
    const request = cutRequest(data());
    const name = `orders-db-data-${request.id}`;
    await apply([
      {
        ...KINDS.snapshot,
        metadata: {
          name,
          namespace: space.name,
          labels: { ...request.labels },
          annotations: { [ANNOTATIONS.jobUid]: 'x' },
        },
        spec: { source: { persistentVolumeClaimName: 'data' }, volumeSnapshotClassName: 'disk' },
      } as object,
    ]);
    await expect(store('disk').cut(request, seconds(60))).rejects.toMatchObject({ code: 'cut-failed' });
    const owner = { id: request.id, jobUid: request.jobUid, names: [name] };
    expect(await store('disk').discard(owner)).toEqual([]);
    expect(await read(KINDS.snapshot, name, space.name)).toBeDefined();
  });
});

describe("a Job's pods use the same names", () => {
  test('rule 11: one that was taken for lost and wakes up leaves alone what the next one has made', async () => {
    const request = cutRequest(data());
    const names = [`orders-db-data-${request.id}`];
    const annotations = { ...request.annotations, [ANNOTATIONS.pod]: 'second' };
    await store('disk').cut({ ...request, annotations }, seconds(60));
    const { id, jobUid } = request;
    expect(await store('disk').discard({ id, jobUid, pod: 'first', names })).toEqual([]);
    expect(await read(KINDS.snapshot, `${names}`, space.name)).toBeDefined();
    expect(await store('disk').discard({ id, jobUid, pod: 'second', names })).toEqual([]);
    expect(await read(KINDS.snapshot, `${names}`, space.name)).toBeUndefined();
  });
});

describe('a cut that does not come in time', () => {
  test('rule 7: late: is given up, and nothing is left of it, not even on the storage', async () => {
    const request = cutRequest(data());
    const late = store('disk-late');
    const began = performance.now();
    await expect(late.cut(request, budget(2_000))).rejects.toMatchObject({ code: 'budget-exceeded' });
    expect(performance.now() - began).toBeLessThan(4_000);
    const [snapshot] = await list(KINDS.snapshot, space.name, `${LABELS.backup}=${request.id}`);
    expect(snapshot?.metadata?.uid).toBeTruthy();
    const owner = { id: request.id, jobUid: request.jobUid, names: late.names(request) };
    expect(await late.discard(owner)).toEqual([]);
    expect(await list(KINDS.snapshot, space.name, `${LABELS.backup}=${request.id}`)).toEqual([]);
    expect(await contentsOf(late.names(request))).toEqual([]);
    expect(await snapshotsOnStorage()).not.toContain(`snap-${snapshot?.metadata?.uid}`);
  });

  test('broken: is given up, with what the storage said in the log, and nothing is left', async () => {
    const request = cutRequest(data());
    const broken = store('disk-broken');
    await expect(broken.cut(request, budget(3_000))).rejects.toMatchObject({ code: 'budget-exceeded' });
    expect(log.lines.some((line) => line.includes('the array is on fire'))).toBe(true);
    const owner = { id: request.id, jobUid: request.jobUid, names: broken.names(request) };
    expect(await broken.discard(owner)).toEqual([]);
    expect(await contentsOf(broken.names(request))).toEqual([]);
  });

  test('late, of a class that retains: what stays behind is named, and is cut all the same', async () => {
    await using kept = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: '6000' });
    const request = cutRequest(data());
    const late = store(kept.name);
    await expect(late.cut(request, budget(1_500))).rejects.toMatchObject({ code: 'budget-exceeded' });
    const left = await late.discard({ id: request.id, jobUid: request.jobUid, names: late.names(request) });
    const [content] = await contentsOf(late.names(request));
    expect(left).toEqual([`volumesnapshotcontent/${content?.metadata?.name}`]);
    expect(await list(KINDS.snapshot, space.name, `${LABELS.backup}=${request.id}`)).toEqual([]);
    await eventually('the storage has cut it, too late', async () => {
      return (await read(KINDS.snapshotContent, content?.metadata?.name ?? ''))?.status?.snapshotHandle !== undefined;
    });
  });
});

describe('what is found again', () => {
  test('are the cuts of a record, by labels and the UID of its Job', async () => {
    const request = cutRequest(volumes);
    const made = await store('disk').cut(request, seconds(60));
    const record = recordOf(space.name, request, { cuts: made.slice(0, 1) });
    await store('disk').ready(made, seconds(60));
    const found = await store('disk').find(record);
    expect(found.map(({ volume, uid, askedAt }) => ({ volume, uid, asked: askedAt === made[0]?.askedAt }))).toEqual(
      expect.arrayContaining([
        { volume: 'data', uid: made[0]?.uid, asked: true },
        { volume: 'wal', uid: made[1]?.uid, asked: expect.any(Boolean) },
      ]),
    );
    expect(await store('disk').find({ ...record, owner: { jobUid: 'another' } })).toEqual([]);
  });
});

async function contentsOf(names: readonly string[]): Promise<readonly { metadata?: { name?: string } }[]> {
  const contents = await list(KINDS.snapshotContent);
  return contents.filter(
    ({ spec }) => spec.volumeSnapshotRef.namespace === space.name && names.includes(spec.volumeSnapshotRef.name),
  );
}
