/**
 * MongoDB beside the contract of all engines. Exact means exact: under write load the restored copy holds the documents of the
 * instant of the lock, no more and no less. LEDGER_RUNS says how often it is tried (`npm run soak`: 20).
 */

import { Duration } from 'cdk8s';
import { MongoMember } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { type LedgerRow, LedgerWriter } from '../ledger/writer';
import { LEDGER_RUNS } from '../support/soak';
import { attemptBackup, attemptEnd, succeeded, takeBackup } from './harness/backup';
import { KINDS, remove } from './harness/cluster';
import { nthPod, startBackup, type TestJob } from './harness/job';
import {
  MONGO_DATABASE,
  MONGO_TITLE,
  startMongo,
  startMongoOnClaim,
  type TestMongo,
  type TestMongoClient,
} from './harness/mongo';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyMongoPolicy, type TestPolicy } from './harness/policy';
import { type RunnerProcess, runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

describe(MONGO_TITLE, () => {
  let namespace: TestNamespace;
  let server: TestMongo;

  beforeAll(async () => {
    namespace = await makeNamespace('mongo');
    // While it is locked nobody new gets in: a backup has to do without.
    server = await startMongo({ namespace: namespace.name, lockBlocksLogin: true });
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  /** Begins a new ledger. */
  async function startLedger(): Promise<LedgerWriter> {
    const admin = await server.connect();
    await admin.forget();
    await admin.end();
    const ledger = await LedgerWriter.start({ connect: server.connect, now: Date.now });
    onTestFinished(() => ledger.stop().catch(() => undefined));
    return ledger;
  }

  /** A server of the user's own on what was restored of a backup. */
  async function restoredCopy(policy: TestPolicy, record: BackupRecord): Promise<TestMongoClient> {
    const name = uniqueName('copy');
    const backup = `${namespace.name}/${policy.database}/${record.id}`;
    const restored = await stillpoint('restore', backup, '--claim', name);
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const copy = await startMongoOnClaim({ name, namespace: namespace.name, claim: name });
    onTestFinished(async () => {
      await copy.end();
      await remove(KINDS.pod, name, namespace.name);
    });
    return copy;
  }

  /**
   * The rows that a client had been told of when the last cut was seen. The server was locked then, and stayed so for a
   * while: what was acknowledged later was written after the unlock. (Not when it was thawed: the clients hear of that
   * before the runner has written the time down.)
   */
  function acknowledgedBefore(rows: readonly LedgerRow[], instant: string | undefined): readonly number[] {
    const seen = Date.parse(instant ?? '');
    return rows
      .filter(({ acknowledged = Number.POSITIVE_INFINITY }) => acknowledged < seen)
      .map(({ number }) => number)
      .sort((one, other) => one - other);
  }

  test.each(Array.from({ length: LEDGER_RUNS }, (_, run) => run + 1))(
    'locked, run %i: the copy holds exactly the documents that were there at the lock',
    async () => {
      const policy = await applyMongoPolicy(server);
      const ledger = await startLedger();
      await ledger.more(100);
      const record = succeeded(await takeBackup(policy));
      await ledger.more(20);
      await ledger.stop();
      expect(record).toMatchObject({
        layout: 'atomic',
        freezes: 'writes',
        proof: { holds: true, before: { facts: { fsyncLock: 'true', role: 'primary' } } },
        position: { lock: 'true', exact: 'true', behindSeconds: '0' },
        volumes: [{ name: 'data', claim: server.claim }],
        held: [{ undo: { locks: '1' } }],
      });
      expect(record.proof?.before.facts.lastWrite).toBe(record.position?.opTime);
      const rows = await (await restoredCopy(policy, record)).numbers();
      expect(rows).toEqual(acknowledgedBefore(ledger.rows, record.times.lastCutSeen));
    },
  );

  test('the hash of every collection in the copy is that of the original', async () => {
    const policy = await applyMongoPolicy(server);
    const ledger = await startLedger();
    await ledger.more(50);
    await ledger.stop();
    const admin = await server.connect();
    onTestFinished(async () => void (await admin.end()));
    const original = await admin.command({ dbHash: 1 }, MONGO_DATABASE);
    const copy = await restoredCopy(policy, succeeded(await takeBackup(policy)));
    const { collections } = await copy.command({ dbHash: 1 }, MONGO_DATABASE);
    expect(collections).toEqual(original.collections);
    expect(Object.keys(original.collections as object)).toEqual(['ledger']);
  });

  test('the primary is never frozen unasked: a set of one member is refused, with what to say', async () => {
    const policy = await applyMongoPolicy(server, {
      name: 'unasked',
      database: 'unasked',
      member: MongoMember.SECONDARY,
    });
    const { error, record } = await attemptBackup(policy);
    expect(error).toMatchObject({ code: 'member-unsuitable' });
    expect(record?.error?.hint).toContain('MongoMember.PRIMARY');
    expect(record?.cuts).toEqual([]);
  });

  test('rule 2: a lock of somebody else is refused, and is left as it is', async () => {
    const own = await startMongo({ namespace: namespace.name, name: 'locked-db' });
    const locked = await applyMongoPolicy(own);
    const admin = await own.connect();
    onTestFinished(async () => void (await admin.end()));
    await admin.command({ fsync: 1, lock: true });
    const { error } = await attemptBackup(locked);
    expect(error).toMatchObject({ code: 'freeze-left' });
    expect(await admin.command({ currentOp: 1 })).toMatchObject({ fsyncLock: true });
    expect(await admin.command({ fsyncUnlock: 1 })).toMatchObject({ lockCount: 0 });
  });

  describe('while the storage does not cut', () => {
    const BUDGET_SECONDS = 6;

    /** A backup of a server that nobody new can log in to while it is locked, brought to where every write waits. */
    async function lockedBackup(
      name: string,
    ): Promise<{ job: TestJob; policy: TestPolicy; runner: RunnerProcess; ledger: LedgerWriter; from: number }> {
      const budget = Duration.seconds(BUDGET_SECONDS);
      const policy = await applyMongoPolicy(server, { name, database: name, className: 'disk-late', budget });
      const ledger = await startLedger();
      await ledger.more(50);
      // While it is locked, nobody new gets in.
      const admin = await server.connect();
      const from = Date.now();
      const job = await startBackup(policy);
      const runner = await runnerProcess(await nthPod(job), namespace.name);
      await eventually('the server is locked', async () => (await admin.command({ currentOp: 1 })).fsyncLock === true);
      await admin.end();
      return { job, policy, runner, ledger, from };
    }

    test('rule 7: a cut that comes late is no backup, and the server is unlocked in time', async () => {
      const { job, policy, ledger, from } = await lockedBackup('late');
      const { record } = await attemptEnd(policy, job);
      expect(record).toMatchObject({
        phase: 'failed',
        error: { code: 'budget-exceeded' },
        heldUndone: { by: 'runner' },
      });
      await ledger.more(20);
      expect(ledger.longestStallMs(from)).toBeLessThan((BUDGET_SECONDS + 5) * 1000);
    });

    test('rule 8: a runner that is told to stop unlocks the server', async () => {
      const { job, policy, runner, ledger, from } = await lockedBackup('stopped');
      runner.terminate();
      const { record } = await attemptEnd(policy, job);
      expect(record).toMatchObject({ heldUndone: { by: 'runner' } });
      await ledger.more(20);
      expect(ledger.longestStallMs(from)).toBeLessThan(BUDGET_SECONDS * 1000);
    });
  });
});
