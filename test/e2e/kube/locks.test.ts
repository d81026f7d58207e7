import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { KubernetesLocks } from '../../../runner/kube/locks';
import { KubernetesRunners } from '../../../runner/kube/runners';
import { KINDS, patch, read, remove } from '../harness/cluster';
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import { eventually } from '../harness/wait';
import { connect, keptLog } from './fixture';

let space: TestNamespace;
let locks: KubernetesLocks;

beforeAll(async () => {
  space = await makeNamespace('locks');
  locks = new KubernetesLocks(await connect(), {
    namespace: space.name,
    clock: systemClock,
    log: keptLog(),
    durationSeconds: 6,
  });
});

afterAll(() => space[Symbol.asyncDispose]());

const holderOf = async (name: string): Promise<string | undefined> =>
  (await read(KINDS.lease, name, space.name))?.spec?.holderIdentity;

test('a lease that is renewed keeps others away, and can be taken when it was given back', async () => {
  const lease = await locks.acquire('renewed', 'job-a');
  await expect(locks.acquire('renewed', 'job-b')).rejects.toMatchObject({
    code: 'backup-in-progress',
    message: expect.stringContaining('job-a'),
  });
  expect(lease.lost.aborted).toBe(false);
  await lease.release();
  expect(await holderOf('renewed')).toBeUndefined();
  const second = await locks.acquire('renewed', 'job-b');
  expect(await holderOf('renewed')).toBe('job-b');
  await second.release();
});

test('of two who want it at the same time one gets it', async () => {
  const both = await Promise.allSettled([locks.acquire('wanted', 'job-a'), locks.acquire('wanted', 'job-b')]);
  const got = both.filter((each) => each.status === 'fulfilled');
  expect(got).toHaveLength(1);
  expect(both.find((each) => each.status === 'rejected')?.reason).toMatchObject({ code: 'backup-in-progress' });
  await got[0]?.value.release();
});

test("the holder's next pod takes it at once", async () => {
  const first = await locks.acquire('same', 'job-a');
  const began = performance.now();
  const second = await locks.acquire('same', 'job-a');
  expect(performance.now() - began).toBeLessThan(2_000);
  // The first pod's renewal comes too late: it finds the Lease changed.
  await eventually('the first has lost it', async () => first.lost.aborted);
  expect(second.lost.aborted).toBe(false);
  await second.release();
});

test('one whose holder does not renew it is taken over after its time', async () => {
  const abandoned = await locks.acquire('abandoned', 'job-a');
  await abandoned.release();
  await patch(KINDS.lease, 'abandoned', space.name, { spec: { holderIdentity: 'job-gone', leaseDurationSeconds: 4 } });
  const began = performance.now();
  const taken = await locks.acquire('abandoned', 'job-b');
  expect(performance.now() - began).toBeGreaterThan(3_900);
  expect(await holderOf('abandoned')).toBe('job-b');
  expect((await read(KINDS.lease, 'abandoned', space.name))?.spec?.leaseTransitions).toBe(1);
  await taken.release();
});

test("a person's backup is at work as long as its lease is renewed, and no longer", async () => {
  const options = { namespace: space.name, clock: systemClock, log: keptLog() };
  const runners = new KubernetesRunners(await connect(), options);
  const of = { database: 'by-hand', owner: { jobUid: 'person-a' } };
  expect(await runners.haveEnded(of)).toBe(true);
  const lease = await locks.acquire('stillpoint-by-hand', 'person-a');
  expect(await runners.haveEnded({ ...of, owner: { jobUid: 'person-b' } })).toBe(true);
  // For longer than it lasts, since it is renewed.
  const began = performance.now();
  await eventually('its time is over', async () => {
    expect(await runners.haveEnded(of)).toBe(false);
    return performance.now() - began > 7_000;
  });
  await lease.release();
  expect(await runners.haveEnded(of)).toBe(true);
  await patch(KINDS.lease, 'stillpoint-by-hand', space.name, {
    spec: { holderIdentity: 'person-a', leaseDurationSeconds: 3 },
  });
  expect(await runners.haveEnded(of)).toBe(false);
  await eventually('nobody renews it', () => runners.haveEnded(of));
});

test('one that somebody else has taken, or removed, is lost', async () => {
  const taken = await locks.acquire('taken', 'job-a');
  await patch(KINDS.lease, 'taken', space.name, { spec: { holderIdentity: 'job-b' } });
  await eventually('it is lost', async () => taken.lost.aborted);
  expect(taken.lost.reason).toMatchObject({ message: expect.stringContaining('taken') });
  await taken.release();
  expect(await holderOf('taken')).toBe('job-b');
  const removed = await locks.acquire('removed', 'job-a');
  await remove(KINDS.lease, 'removed', space.name);
  await eventually('it is lost', async () => removed.lost.aborted);
});
