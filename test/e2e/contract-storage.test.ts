/**
 * The contract of all engines, fourth part: storage that is slow, late or broken. The database is let go in time, which a
 * ledger shows, and a late cut never becomes a backup. In the mode of each engine that holds something; `npm run soak`
 * takes all modes.
 */
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LABELS } from '../../src/contract';
import { ENGINES, storageModesOf } from './engines';
import type { TestServer } from './engines/adapter';
import { startLedger } from './engines/copy';
import { Servers } from './engines/servers';
import { expectNothingHeld, expectNothingLeft } from './engines/told';
import { attemptBackup, attemptEnd, backupEnd, succeeded } from './harness/backup';
import { type Anything, KINDS, list, remove } from './harness/cluster';
import { watchStorage } from './harness/disk';
import { openGate } from './harness/gate';
import { nthPod, podEnd, startBackup } from './harness/job';
import type { TestPolicy } from './harness/policy';
import { recordOf } from './harness/records';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually, Hopeless } from './harness/wait';
import { makeRetainClass } from './kube/fixture';

const BUDGET = Duration.seconds(5);

/** A ledger that shows how long a commit waits, and leaves the machine to the others. */
const QUIETLY = { everyMs: 20 };

/** Longer than the longest budget: what is cut within that is not ready by then. */
const READY_DELAY_MS = 30_000;

/** Safety rule 8: writes go on within the budget and 5 s. */
const LONGEST_STALL_MS = (BUDGET.toSeconds() + 5) * 1000;

// Engines side by side, the tests of each one after the other: they share its servers.
describe.concurrent.each(ENGINES)('$title', (adapter) => {
  let servers: Servers;

  beforeAll(async () => {
    servers = await Servers.in(adapter, 'storage');
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  describe.each(storageModesOf(adapter))('mode $name', { concurrent: false }, (mode) => {
    const policyOf = async (
      server: TestServer,
      name: string,
      options: Partial<Parameters<TestServer['policy']>[1]>,
    ): Promise<TestPolicy> => await server.policy(mode, { name: `${name}-${mode.name}`, ...options });

    test('rule 5: a snapshot that is ready late: the database is let go when it is cut, not when it is ready', async () => {
      const server = await servers.of(mode);
      await using slow = await makeRetainClass('VolumeSnapshotClass', { readyDelayMs: `${READY_DELAY_MS}` });
      const policy = await policyOf(server, 'slow', { className: slow.name });
      await using ledger = await startLedger(server, QUIETLY);
      await ledger.more(20);
      const from = Date.now();
      const job = await startBackup(policy);
      const end = backupEnd(policy, job);
      await eventually('the database is let go', async () => (await recordOf(policy, job)).phase === 'cut');
      const snapshots = (await list(KINDS.snapshot, policy.namespace)).filter(isOf(policy));
      expect(snapshots.length).toBeGreaterThan(0);
      expect(snapshots.map(({ status }) => status?.readyToUse)).not.toContain(true);
      await ledger.more(20);
      expect(ledger.longestStallMs(from)).toBeLessThan(READY_DELAY_MS);
      const record = succeeded(await end);
      expect(record.cuts).toHaveLength(snapshots.length);
      expect(record.cuts.map(({ seenBy }) => seenBy)).not.toContain('readyToUse');
      expect(Date.parse(record.times.ready ?? '')).toBeGreaterThan(Date.parse(record.times.thawed ?? ''));
    });

    test('rule 7: a cut that comes after the budget is no backup, and leaves nothing behind', async () => {
      const server = await servers.of(mode);
      const policy = await policyOf(server, 'late', { className: 'disk-late', budget: BUDGET });
      await using ledger = await startLedger(server, QUIETLY);
      await ledger.more(20);
      using storage = watchStorage();
      const from = Date.now();
      const job = await startBackup(policy);
      const [asked, { pod, record, error, events }] = await Promise.all([firstAsked(policy), attemptEnd(policy, job)]);
      expect(pod.exitCode).toBe(4);
      expect(error).toMatchObject({ code: 'budget-exceeded', message: expect.stringContaining('5 s') });
      expect(record).toMatchObject({ phase: 'failed', error: { code: 'budget-exceeded' } });
      expect(events.at(-1)).toMatch(/^Warning FailedSnapshot: .*\(budget-exceeded\)$/);
      await expectNothingHeld(server);
      await ledger.more(20);
      expect(ledger.longestStallMs(from)).toBeLessThan(LONGEST_STALL_MS);
      // The storage goes on cutting what was asked for: only then is it known whether anything stays.
      await eventually('the storage has cut after all', async () => storage.hasCut(asked));
      await expectNoBackup(policy, record?.leftovers);
    });

    test('rule 7, rule 11: the runner dies before a late cut, and the next pod of its Job finds it: no backup', async () => {
      const server = await servers.of(mode);
      const policy = await policyOf(server, 'died', { className: 'disk-late', budget: BUDGET });
      await using ledger = await startLedger(server, QUIETLY);
      await ledger.more(20);
      using storage = watchStorage();
      await using gate = await openGate(servers.namespace);
      const from = Date.now();
      const asks = gate.hold(
        ({ resource, operation, name }) =>
          resource === 'volumesnapshots' && operation === 'CREATE' && name.startsWith(`${policy.database}-`),
      );
      const job = await startBackup(policy);
      const runner = await runnerProcess(await nthPod(job), policy.namespace);
      (await asks).allow();
      const asked = await firstAsked(policy);
      // What the next pod does first: it takes the record over.
      const takesOver = gate.hold(
        ({ resource, operation, name, object }) =>
          resource === 'configmaps' &&
          operation === 'UPDATE' &&
          name.startsWith(`${policy.namespace}.${policy.database}.`) &&
          object?.metadata?.labels?.[LABELS.phase] === 'pending',
      );
      runner.kill();
      const { allow } = await takesOver;
      await eventually('the storage has cut after all', async () => storage.hasCut(asked));
      allow();
      const second = await podEnd(await nthPod(job, 1), policy.namespace);
      await remove(KINDS.job, job.name, job.namespace);
      expect(second.exitCode).toBe(4);
      const record = await recordOf(policy, job);
      expect(record).toMatchObject({ phase: 'failed', error: { code: 'budget-exceeded' } });
      expect(record.warnings?.join()).toContain('an earlier pod');
      await expectNothingHeld(server);
      await ledger.more(20);
      expect(ledger.longestStallMs(from)).toBeLessThan(LONGEST_STALL_MS);
      await expectNoBackup(policy, record.leftovers);
    });

    test('rule 7: storage that never cuts: the database is let go within the budget, and nothing is left', async () => {
      const server = await servers.of(mode);
      const policy = await policyOf(server, 'broken', { className: 'disk-broken', budget: BUDGET });
      await using ledger = await startLedger(server, QUIETLY);
      await ledger.more(20);
      const from = Date.now();
      const ended = new AbortController();
      const complained = firstComplaint(policy, ended.signal);
      const { pod, record, error } = await attemptBackup(policy);
      ended.abort();
      expect(pod.exitCode).toBe(4);
      expect(error).toMatchObject({ code: 'budget-exceeded' });
      // A complaint may take longer than the budget to get through the controller; one that was there is told.
      if (((await complained) ?? Number.POSITIVE_INFINITY) < Date.parse(record?.error?.at ?? '') - 1000)
        expect(error?.message).toContain('the array is on fire');
      expect(record).toMatchObject({ phase: 'failed' });
      await expectNothingHeld(server);
      await ledger.more(20);
      expect(ledger.longestStallMs(from)).toBeLessThan(LONGEST_STALL_MS);
      await expectNoBackup(policy, record?.leftovers);
    });
  });
});

/** The UID of the first snapshot that a backup asks for. */
async function firstAsked(policy: TestPolicy): Promise<string> {
  return await eventually(
    'a snapshot is asked for',
    async () => (await list(KINDS.snapshot, policy.namespace)).find(isOf(policy))?.metadata?.uid,
    { seconds: 120 },
  );
}

/** When the storage's complaint was first seen at a snapshot of a policy; undefined when it was not until the signal. */
async function firstComplaint(policy: TestPolicy, until: AbortSignal): Promise<number | undefined> {
  return await eventually(
    'the storage complains',
    async () => {
      if (until.aborted) throw new Hopeless('the backup has ended');
      const snapshots = (await list(KINDS.snapshot, policy.namespace)).filter(isOf(policy));
      return snapshots.some(({ status }) => status?.error !== undefined) ? Date.now() : undefined;
    },
    { seconds: 120 },
  ).catch(() => undefined);
}

/** Whether a snapshot is one of a policy's. */
function isOf({ database }: TestPolicy): (snapshot: Anything) => boolean {
  return ({ metadata }) => metadata?.name?.startsWith(`${database}-`) === true;
}

/** Nothing is left, on the storage neither, and there is nothing to restore. */
async function expectNoBackup(policy: TestPolicy, leftovers: readonly string[] | undefined): Promise<void> {
  await expectNothingLeft(policy, leftovers);
  const path = `${policy.namespace}/${policy.database}/latest`;
  const restored = await stillpoint('restore', path, '--claim', 'copy');
  expect(restored.exitCode).toBe(5);
}
