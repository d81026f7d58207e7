/**
 * The dead man's switch (safety rule 8), as one table: whatever becomes of the runner, in each state in which it holds a
 * server, a client's writes go on in time, and nothing is held any more. What a guard has to undo when a guard is lost too:
 * dead-guard.test.ts; a node that loses its power: dead-node.test.ts.
 */
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANNOTATIONS, guardLeaseName, LABELS } from '../../src/contract';
import type { LedgerWriter } from '../ledger/writer';
import { startLedger } from './engines/copy';
import { eventsOn, KINDS, list, read, remove } from './harness/cluster';
import { type Gate, openGate } from './harness/gate';
import { HELD, type HeldServer } from './harness/held';
import { nthPod, podsOf, startBackup, type TestJob } from './harness/job';
import { followLog } from './harness/logs';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import type { TestPolicy } from './harness/policy';
import { recordsOf } from './harness/records';
import { mute, type RunnerProcess, runnerProcess, unplug } from './harness/runner-process';
import { eventually } from './harness/wait';

const BUDGET_SECONDS = 8;

/** A ledger that shows how long a commit waits, and leaves the machine to the others. */
const QUIETLY = { everyMs: 20 };

/** A runner that holds its server. */
interface Holding {
  readonly job: TestJob;
  readonly pod: string;
  readonly runner: RunnerProcess;
}

/** A write of the runner's that is held at the door. */
type HeldWrite = Awaited<ReturnType<Gate['hold']>>;

interface Loss {
  readonly how: string;
  /** What rule 8 adds to the budget. */
  readonly seconds: number;
  readonly lose: (holding: Holding) => void | Promise<void>;
}

const LOSSES: readonly Loss[] = [
  { how: 'killed', seconds: 5, lose: ({ runner }) => runner.kill() },
  { how: 'cut off from the network', seconds: 5, lose: ({ runner }) => unplug(runner) },
  {
    how: 'deleted with its pod',
    seconds: 60,
    lose: ({ job, pod }) => remove(KINDS.pod, pod, job.namespace, 0),
  },
];

interface Stage {
  readonly server: HeldServer;
  readonly gate: Gate;
}

/** A state of a runner that holds its server, and how a backup is brought there. */
interface State {
  readonly when: string;
  readonly className?: string;
  readonly reach: (stage: Stage, policy: TestPolicy) => Promise<Holding>;
}

const STATES: readonly State[] = [
  {
    when: 'before the first cut is asked for',
    reach: async ({ gate }, policy) => {
      const asks = firstCutAskedFor(gate, policy);
      const holding = await begin(policy);
      await asks;
      return holding;
    },
  },
  {
    when: 'while the storage is cutting',
    className: 'disk-late',
    reach: async (_, policy) => {
      const holding = await begin(policy);
      const selector = `${LABELS.database}=${policy.database}`;
      await eventually(
        'a snapshot is asked for',
        async () => (await list(KINDS.snapshot, policy.namespace, selector)).length > 0,
        { seconds: 120 },
      );
      return holding;
    },
  },
  {
    when: 'between the last cut seen and the thaw',
    reach: async (stage, policy) => {
      // On a busy machine the budget may be over before a cut is seen: that is another state than this one.
      for (let tries = 1; tries <= 4; tries++) {
        const holding = await reachCutSeen(stage, policy);
        if (holding !== undefined) return holding;
      }
      throw new Error('in four backups no runner has seen its cut within the budget');
    },
  },
];

/** A runner that is halted when it has seen its cut, and has not said so to its server yet; undefined when that failed. */
async function reachCutSeen({ gate, server }: Stage, policy: TestPolicy): Promise<Holding | undefined> {
  const asks = firstCutAskedFor(gate, policy);
  const holding = await begin(policy);
  try {
    await haltWhenCutSeen(holding, server, await asks);
    return holding;
  } catch {
    await forget(holding);
    await eventually('nothing is held', async () => (await server.held()).length === 0, { seconds: 60 });
    return undefined;
  }
}

async function haltWhenCutSeen({ job, pod, runner }: Holding, server: HeldServer, write: HeldWrite): Promise<void> {
  let allowed = false;
  try {
    await using log = await followLog(pod, job.namespace);
    // What it says to the server next is that it is still frozen, or the thaw.
    const unmute = await mute(runner, server.port);
    try {
      allowed = true;
      write.allow();
      const seen = async (): Promise<boolean> =>
        (await log.lines()).some(({ step, message }) => step?.startsWith('cut ') && message === 'step done');
      await eventually('the runner has seen the cut', seen, { seconds: BUDGET_SECONDS + 2 });
      runner.halt();
    } finally {
      await unmute();
    }
  } finally {
    if (!allowed) write.refuse();
  }
}

/** The write by which a backup asks for its first cut, at the door: the freeze is confirmed then, and nothing is cut. */
function firstCutAskedFor(gate: Gate, { database }: TestPolicy): ReturnType<Gate['hold']> {
  return gate.hold(
    ({ resource, operation, name }) =>
      resource === 'volumesnapshots' && operation === 'CREATE' && name.startsWith(`${database}-`),
  );
}

async function begin(policy: TestPolicy): Promise<Holding> {
  const job = await startBackup(policy);
  const pod = await nthPod(job);
  return { job, pod, runner: await runnerProcess(pod, job.namespace) };
}

// Engines side by side, the tests of each one after the other: they share its server.
describe.concurrent.each(HELD)('$title', (engine) => {
  let namespace: TestNamespace;
  let stage: Stage;
  let gate: Gate;

  beforeAll(async () => {
    namespace = await makeNamespace(`dead-${engine.name}`);
    gate = await openGate(namespace.name);
    stage = { gate, server: await engine.start(namespace.name, { locksOut: true }) };
  });
  afterAll(async () => {
    await gate[Symbol.asyncDispose]();
    await namespace[Symbol.asyncDispose]();
  });

  const cases = LOSSES.flatMap((loss, i) => STATES.map((state, j) => ({ ...loss, ...state, name: `lost-${i}-${j}` })));

  describe('rule 8: the runner is', { concurrent: false }, () => {
    test.each(cases)('$how $when', async ({ name, className, reach, lose, seconds }) => {
      const { server } = stage;
      const policy = await server.policy({
        name,
        budget: Duration.seconds(BUDGET_SECONDS),
        ...(className === undefined ? {} : { className }),
      });
      await using ledger = await startLedger(server, QUIETLY);
      await ledger.more(20);
      const from = Date.now();
      const holding = await reach(stage, policy);
      expect(await server.held()).not.toEqual([]);
      if (engine.writesWait) await eventually('every write waits', async () => sinceNewest(ledger) > 500);
      await lose(holding);
      resume(holding);
      await ledger.more(20);
      const stall = ledger.longestStallMs(from);
      expect(stall).toBeLessThan((BUDGET_SECONDS + seconds) * 1000);
      await eventually('nothing is held', async () => (await server.held()).length === 0, { seconds: seconds + 10 });
      const said = engine.guarded ? await whoLetGo(holding, policy) : 'the server has ended the session';
      process.stdout.write(`    ${engine.name}, ${name}: stall ${Math.round(stall)} ms; ${said}\n`);
      await forget(holding);
      const own = (await recordsOf(policy)).filter(({ owner }) => owner.jobUid === holding.job.uid);
      for (const { phase } of own) expect(phase).not.toBe('succeeded');
    });
  });
});

function sinceNewest({ rows }: LedgerWriter): number {
  return Date.now() - Math.max(...rows.map(({ acknowledged }) => acknowledged ?? 0));
}

/** What is lost and was halted goes on as it would have, if it is there still. */
function resume({ runner }: Holding): void {
  try {
    runner.resume();
  } catch {
    // It is dead.
  }
}

/** By whose doing a server that a guard watched was let go. */
async function whoLetGo({ job }: Holding, { database }: TestPolicy): Promise<string> {
  return await eventually('it is known who let the server go', async () => {
    const events = await eventsOn(KINDS.job, job.name, job.namespace);
    const acted = events.find((event) => event.includes(' GuardActed: '));
    // A runner whose pod is deleted is told so by the kubelet, and may be quicker than its guard.
    const lease = await read(KINDS.lease, guardLeaseName(database), job.namespace);
    const { released } = JSON.parse(lease?.metadata?.annotations?.[ANNOTATIONS.guardOrder] ?? '{}');
    return acted ?? (released === true ? 'the runner itself, which was told to stop' : undefined);
  });
}

/** Waits until a Job is gone with its pods: a guard that stays looks at the server still. */
async function forget({ job, runner }: Holding): Promise<void> {
  await remove(KINDS.job, job.name, job.namespace);
  try {
    runner.kill();
  } catch {
    // It is dead already.
  }
  await eventually('the Job is gone with its pods', async () => (await podsOf(job)).length === 0, { seconds: 120 });
}
