/**
 * The dead man's switch of engines whose freeze outlives its session (safety rule 8): whatever becomes of the runner, a
 * client's writes go on in time, and what was changed is put back: by the guard, else by the next run or by `heal`.
 * Engines whose freeze ends with its session: rules.test.ts and mysql-frozen.test.ts.
 */
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ANNOTATIONS, guardLeaseName, LABELS } from '../../src/contract';
import { LedgerWriter } from '../ledger/writer';
import { succeeded, takeBackup } from './harness/backup';
import { eventsOn, KINDS, list, read, remove } from './harness/cluster';
import { openGate } from './harness/gate';
import { GUARDED, type GuardedServer } from './harness/guarded';
import { nthGuard, nthPod, podsOf, startBackup, type TestJob } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import type { TestPolicy } from './harness/policy';
import { recordsOf } from './harness/records';
import { type RunnerProcess, runnerProcess, unplug } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

const BUDGET_SECONDS = 8;

interface Loss {
  readonly how: string;
  /** What rule 8 adds to the budget. */
  readonly seconds: number;
  /** Whether the runner itself may be left time to let go. */
  readonly mayThaw?: boolean;
  readonly lose: (runner: RunnerProcess, pod: string, namespace: string) => void | Promise<void>;
}

const LOSSES: readonly Loss[] = [
  { how: 'killed', seconds: 5, lose: ({ kill }) => kill() },
  { how: 'cut off from the network', seconds: 5, lose: unplug },
  {
    how: 'deleted with its pod',
    seconds: 60,
    mayThaw: true,
    lose: (_, pod, namespace) => remove(KINDS.pod, pod, namespace, 0),
  },
];

describe.each(GUARDED)('$title', (engine) => {
  let namespace: TestNamespace;
  let server: GuardedServer;

  beforeAll(async () => {
    namespace = await makeNamespace(`dead-${engine.name}`);
    server = await engine.start(namespace.name, { locksOut: true });
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  async function startLedger(of = server): Promise<LedgerWriter> {
    const client = await of.connect();
    await client.forget();
    await client.end();
    const ledger = await LedgerWriter.start({ connect: of.connect, now: Date.now });
    onTestFinished(() => ledger.stop().catch(() => undefined));
    await ledger.more(50);
    return ledger;
  }

  const policyOf = (name: string, of = server, className?: string): Promise<TestPolicy> =>
    of.policy({
      name,
      budget: Duration.seconds(BUDGET_SECONDS),
      ...(className === undefined ? {} : { className }),
    });

  /** Waits until a Job is gone with its pods: a guard that stays looks at the server still. */
  async function forget(job: TestJob, runner: RunnerProcess): Promise<void> {
    await remove(KINDS.job, job.name, job.namespace);
    try {
      runner.kill();
    } catch {
      // It is dead already.
    }
    await eventually('the Job is gone with its pods', async () => (await podsOf(job)).length === 0, { seconds: 120 });
  }

  /** Whether the runner has told its guard that nothing is held any more. */
  async function isReleased({ database }: TestPolicy): Promise<boolean> {
    const lease = await read(KINDS.lease, guardLeaseName(database), namespace.name);
    return JSON.parse(lease?.metadata?.annotations?.[ANNOTATIONS.guardOrder] ?? '{}').released === true;
  }

  /** Loses the runner of a backup that holds the server, and expects that writes go on in time, by the guard's doing. */
  async function expectUndone(
    { lose, seconds, mayThaw }: Loss,
    { job, policy, ledger, from }: { job: TestJob; policy: TestPolicy; ledger: LedgerWriter; from: number },
  ): Promise<void> {
    const pod = await nthPod(job);
    const runner = await runnerProcess(pod, namespace.name);
    await lose(runner, pod, namespace.name);
    await ledger.more(20);
    const stall = ledger.longestStallMs(from);
    expect(stall).toBeLessThan((BUDGET_SECONDS + seconds) * 1000);
    await eventually('nothing is held', async () => (await server.held()).length === 0, { seconds: seconds + 10 });
    const said = await eventually('it is known who let the server go', async () => {
      const acted = (await eventsOn(KINDS.job, job.name, namespace.name)).find((event) =>
        event.includes(' GuardActed: '),
      );
      // A runner whose pod is deleted is told so by the kubelet, and may be quicker than its guard.
      return (
        acted ??
        (mayThaw === true && (await isReleased(policy)) ? 'the runner itself, which was told to stop' : undefined)
      );
    });
    process.stdout.write(`    ${engine.name}: stall ${Math.round(stall)} ms; ${said}\n`);
    await forget(job, runner);
    for (const { phase } of await recordsOf(policy)) expect(phase).not.toBe('succeeded');
  }

  describe.each(LOSSES)('rule 8: the runner is $how', (loss) => {
    const name = loss.how.split(' ')[0] ?? '';

    test('before the first cut is asked for', async () => {
      const policy = await policyOf(`${name}-before`);
      const ledger = await startLedger();
      await using gate = await openGate(namespace.name);
      const held = gate.hold(({ resource, operation }) => resource === 'volumesnapshots' && operation === 'CREATE');
      const from = Date.now();
      const job = await startBackup(policy);
      const { refuse } = await held;
      await expectUndone(loss, { job, policy, ledger, from });
      refuse();
    });

    test('while the storage is cutting', async () => {
      const policy = await policyOf(`${name}-cutting`, server, 'disk-late');
      const ledger = await startLedger();
      const from = Date.now();
      const job = await startBackup(policy);
      await eventually(
        'a snapshot is asked for',
        async () => (await list(KINDS.snapshot, namespace.name, `${LABELS.database}=${policy.database}`)).length > 0,
        { seconds: 120 },
      );
      await expectUndone(loss, { job, policy, ledger, from });
    });
  });

  test('rule 8: runner and guard are on different nodes', async () => {
    const job = await startBackup(await policyOf('apart'));
    const pods = [await nthPod(job), await nthGuard(job)];
    const nodes = await Promise.all(
      pods.map(async (pod) => (await read(KINDS.pod, pod, namespace.name))?.spec.nodeName),
    );
    expect(new Set(nodes).size).toBe(2);
  });

  describe('rule 8: the runner and its guard are killed', () => {
    let open: GuardedServer;

    beforeAll(async () => {
      // One that is held lets others in: else nobody but its own end could free it.
      open = await engine.start(namespace.name, { name: 'open' });
    });

    /** A server that is held, with nobody left to undo it. */
    async function abandoned(name: string): Promise<TestPolicy> {
      const policy = await policyOf(name, open);
      await using gate = await openGate(namespace.name);
      const held = gate.hold(({ resource, operation }) => resource === 'volumesnapshots' && operation === 'CREATE');
      const job = await startBackup(policy);
      const { refuse } = await held;
      const runner = await runnerProcess(await nthPod(job), namespace.name);
      const guard = await runnerProcess(await nthGuard(job), namespace.name);
      guard.kill();
      runner.kill();
      await forget(job, { ...runner, kill: () => undefined });
      refuse();
      expect(await open.held()).not.toEqual([]);
      return policy;
    }

    test('and the next run undoes what they held', async () => {
      const policy = await abandoned('next');
      const record = succeeded(await takeBackup(policy));
      expect(await open.held()).toEqual([]);
      const [first, second] = await recordsOf(policy);
      expect(first).toMatchObject({ phase: 'failed', error: { code: 'runner-lost' }, heldUndone: { by: 'later-run' } });
      expect(second).toMatchObject({ id: record.id, heldUndone: { by: 'runner' } });
    });

    test('and heal undoes it at once, and has nothing to do a second time', async () => {
      const policy = await abandoned('heal');
      const healed = await stillpoint('heal', policy.name, '-n', namespace.name);
      expect(healed, healed.stderr).toMatchObject({ exitCode: 0 });
      expect(await open.held()).toEqual([]);
      const [record] = await recordsOf(policy);
      expect(record).toMatchObject({ heldUndone: { by: 'heal' } });
      expect(record?.heldUndone?.done).not.toEqual([]);
      for (const done of record?.heldUndone?.done ?? []) expect(healed.stdout).toContain(done);
      const again = await stillpoint('heal', policy.name, '-n', namespace.name);
      expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('nothing is held') });
    });
  });
});
