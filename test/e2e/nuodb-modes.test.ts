/**
 * NuoDB whose backup hooks really freeze the file system of the archive, or really suspend the process of the engine: hooks and
 * engine are stand-ins (test/e2e/standins), fsfreeze and SIGSTOP are not. What does not depend on the mode: nuodb.test.ts.
 */
import { Duration } from 'cdk8s';
import { NuoDbFreezeMode } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { SOAK } from '../support/soak';
import { attemptBackup, attemptEnd, backupEnd, succeeded, takeBackup } from './harness/backup';
import { eventsOn, KINDS, list } from './harness/cluster';
import { misbehavingClass } from './harness/disk';
import { forget, nthGuard, nthPod, startBackup, type TestJob } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import {
  applyNuoDbPolicy,
  type State,
  startStorageManagers,
  stateOfCopy,
  type TestStorageManagers,
} from './harness/nuodb';
import { isReady } from './harness/pods';
import type { TestPolicy } from './harness/policy';
import { recordOf, snapshotsLeft } from './harness/records';
import { type RunnerProcess, runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

/** The cut of the class disk-late takes 15 s. */
const LATE = { className: 'disk-late', budget: Duration.seconds(40) };
const SHORT = { className: 'disk-late', budget: Duration.seconds(8) };
const SHORT_MS = 8_000;

/** The hooks let go by themselves so long after the budget; what else a machine at work needs is the rule's. */
const HOOKS_LATER_MS = 2_000;
const RULE_8_MS = 5_000;

const MODES = [
  {
    mode: 'fsfreeze',
    other: NuoDbFreezeMode.SUSPEND,
    freezes: 'log-recycling',
    held: /the file system of the archive was frozen/,
  },
  { mode: 'suspend', other: NuoDbFreezeMode.HOTSNAP, freezes: 'everything', held: /the storage manager was suspended/ },
] as const;
/** The file system that is frozen is in the soak alone, with both side by side. */
const WANTED = MODES.filter(({ mode }) => mode === 'suspend' || SOAK);

// Side by side, the tests of each one after the other: they share its storage manager.
describe.concurrent.each(WANTED)('NuoDB (a stand-in), held by $mode', ({ mode, other, freezes, held }) => {
  let namespace: TestNamespace;
  let managers: TestStorageManagers;

  beforeAll(async () => {
    namespace = await makeNamespace(`nuodb-${mode}`);
    managers = await startStorageManagers({ namespace: namespace.name, freezeMode: mode });
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  const policyOf = (database: string, options: object = {}): Promise<TestPolicy> =>
    applyNuoDbPolicy(namespace.name, { database, ...options });

  /** A process of the storage manager's pod. */
  const processOf = (container: 'engine' | 'backup-hooks'): Promise<RunnerProcess> =>
    runnerProcess(managers.pod(0), namespace.name, container);

  /** Starts a backup, whose Job is changed so, and waits until it holds the storage manager and has asked for its cuts. */
  async function holding(policy: TestPolicy, change: object = {}): Promise<TestJob> {
    const job = await startBackup(policy, change);
    await eventually('the cuts are asked for', async () => (await managers.state()).frozen && (await asked(policy)), {
      seconds: 120,
    });
    return job;
  }

  async function asked({ database }: TestPolicy): Promise<boolean> {
    return (await list(KINDS.snapshot, namespace.name, `stillpoint.dev/database=${database}`)).length > 0;
  }

  /**
   * Milliseconds until nothing is held, from when there are hooks that could let go: the kubelet takes its time to start again what
   * was killed twice. Then both go on, which is seen of what they write.
   */
  async function goesOn(): Promise<number> {
    await eventually('the hooks answer', () => managers.state(), { seconds: 120 });
    const from = Date.now();
    await eventually('it is let go', async () => !(await managers.state()).frozen, { seconds: 120 });
    const ms = Date.now() - from;
    const before = await managers.state();
    await eventually('archive and journal go on', async () => {
      const { archive, journal, backup } = await managers.state();
      return archive > before.archive && journal > before.journal && backup === '';
    });
    return ms;
  }

  /** No snapshots but those of a backup. */
  async function leavesNothing({ database }: TestPolicy, but?: BackupRecord): Promise<void> {
    const left = async (): Promise<readonly string[]> =>
      (await snapshotsLeft(namespace.name, database)).filter((each) => but === undefined || !each.endsWith(but.id));
    await eventually('nothing is left', async () => (await left()).length === 0, { seconds: 60 });
  }

  describe('one after the other', { concurrent: false }, () => {
    test('stands still as the record says, and archive and journal fit each other in the copy', async () => {
      await using slow = await misbehavingClass({ cutDelayMs: 4_000 });
      const policy = await policyOf('demo', { className: slow.name });
      const before = await managers.state();
      const job = await startBackup(policy);
      const atCut = async (): Promise<State | undefined> => {
        if (!(await asked(policy))) return undefined;
        const state = await managers.state();
        return state.frozen || mode === 'fsfreeze' ? state : undefined;
      };
      const begun = await eventually('the cuts are asked for', atCut, { seconds: 120 });
      const record = succeeded(await backupEnd(policy, job));
      expect(record).toMatchObject({
        freezes,
        layout: 'held',
        position: { backupId: record.id, mode },
        proof: { holds: true, before: { facts: { backup: record.id } }, after: { facts: { backup: record.id } } },
        heldUndone: { by: 'runner' },
      });
      expect(record.proof?.statement).toMatch(held);
      await goesOn();

      const name = `copy-${record.id}`;
      const restored = await stillpoint('restore', `${namespace.name}/demo/${record.id}`, '--claim', name);
      expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
      // It refuses an archive that holds what its journal does not know, and replays what the archive lacks.
      const copy = await stateOfCopy(name, namespace.name, {
        archive: `${name}-archive`,
        journal: `${name}-journal`,
      });
      expect(copy.archive).toBe(copy.journal);
      expect(copy.journal).toBeGreaterThanOrEqual(before.journal);
      // The cuts came seconds later: only what is suspended has written nothing until then. It may have been stopped between an
      // atom and word of it.
      if (mode === 'suspend') expect(copy.journal - begun.journal).toBeOneOf([0, 1]);
      else expect(copy.journal).toBeGreaterThan(begun.journal + 1);
      process.stdout.write(
        `    ${mode}: held ${record.freezeWindowMs} ms; the copy has ${copy.journal} atoms, ${begun.journal} when the cuts were asked for\n`,
      );
    });

    test('rule 2: a policy that says of another mode is refused by what the manifest of the pod says', async () => {
      const { error } = await attemptBackup(await policyOf('otherwise', { freezeMode: other }));
      expect(error).toMatchObject({ code: 'config-invalid', message: expect.stringContaining(`are told ${mode}`) });
      expect(await managers.state()).toMatchObject({ frozen: false, backup: '' });
    });

    test('rule 2: an id of somebody else is at work: refused, and it goes on until its own time is over', async () => {
      expect(await managers.hook('/pre-backup/theirs', { timeout: 20 })).toMatchObject({ status: 200 });
      const policy = await policyOf('overlapping');
      const { error } = await attemptBackup(policy);
      expect(error).toMatchObject({ code: 'freeze-left', message: expect.stringContaining('theirs') });
      expect(await managers.state()).toMatchObject({ frozen: true, backup: 'theirs' });
      await goesOn();
      // Who comes late is told that nobody has begun.
      expect(await managers.hook('/post-backup/theirs')).toEqual({
        status: 400,
        success: false,
        message: 'Unexpected backup ID: current=None, supplied=theirs',
      });
      expect(await snapshotsLeft(namespace.name, 'overlapping')).toEqual([]);
    });

    test('rule 7: a runner that comes after the time of its id is told so, and there is no backup', async () => {
      const policy = await policyOf('belated', SHORT);
      const job = await holding(policy);
      const halted = [
        await runnerProcess(await nthGuard(job), namespace.name),
        await runnerProcess(await nthPod(job), namespace.name),
      ];
      for (const each of halted) each.halt();
      const ms = await goesOn();
      expect(ms).toBeLessThan(SHORT_MS + HOOKS_LATER_MS + RULE_8_MS);
      for (const each of halted) each.resume();
      const { record, error } = await attemptEnd(policy, job);
      expect(error?.code).toMatch(/^(budget-exceeded|guard-acted|proof-failed)$/);
      expect(record).toMatchObject({ phase: 'failed' });
      await leavesNothing(policy);
      process.stdout.write(`    ${mode}, belated: let go after ${ms} ms; ${error?.code}: ${error?.message}\n`);
    });

    test('rule 6: is no backup when its hooks are started anew, which nobody could watch meanwhile; the next one is', async () => {
      const policy = await policyOf('hooks-anew', LATE);
      const job = await holding(policy);
      (await processOf('backup-hooks')).kill();
      const { record, error } = await attemptEnd(policy, job);
      expect(error).toMatchObject({ code: 'guard-acted', message: expect.stringContaining('could not watch over') });
      expect(record?.phase).toBe('failed');
      await goesOn();
      succeeded(await takeBackup(await policyOf('hooks-anew')));
      const { heldUndone } = await recordOf(policy, job);
      expect(heldUndone?.by).toMatch(/^(runner|guard)$/);
      process.stdout.write(`    ${mode}, hooks-anew: ${error?.message}; undone by the ${heldUndone?.by}\n`);
    });

    // A process that waits for a frozen file system cannot be ended: then there is nothing to tell.
    test.runIf(mode === 'suspend')(
      'rule 6: is no backup when the suspended engine is started anew under the cut',
      async () => {
        const policy = await policyOf('engine-anew', LATE);
        const job = await holding(policy);
        (await processOf('engine')).kill();
        await eventually('it is let go, since another one runs', async () => !(await managers.state()).frozen);
        const { record, error } = await attemptEnd(policy, job);
        expect(error).toMatchObject({ code: 'server-changed', message: expect.stringContaining('container engine') });
        expect(record).toMatchObject({ phase: 'failed', heldUndone: { by: 'runner' } });
        await goesOn();
        await leavesNothing(policy);
        await eventually('it is ready', () => isReady(managers.pod(0), namespace.name), { seconds: 60 });
        succeeded(await takeBackup(await policyOf('engine-anew')));
      },
    );

    const losses = [
      { who: 'its guard', database: 'guarded', kills: ['runner'], by: 'guard' },
      {
        who: 'its guard, with hooks that know of no time any more',
        database: 'anew',
        kills: ['hooks', 'runner'],
        by: 'guard',
      },
      { who: 'the hooks themselves', database: 'alone', kills: ['guard', 'runner'], by: 'heal' },
    ] as const;
    const tried = SOAK ? losses : [losses[0]];
    test.each(tried)('rule 8: is let go by $who when who began it is killed', async ({ database, kills, by }) => {
      const policy = await policyOf(database, SHORT);
      // Nobody takes the place of what was killed: that would undo it, too.
      const job = await holding(policy, { backoffLimitPerIndex: 0 });
      const processes = {
        runner: await runnerProcess(await nthPod(job), namespace.name),
        guard: await runnerProcess(await nthGuard(job), namespace.name),
        hooks: await processOf('backup-hooks'),
      };
      for (const which of kills) processes[which].kill();
      const ms = await goesOn();
      expect(ms).toBeLessThan(SHORT_MS + HOOKS_LATER_MS + RULE_8_MS);
      const events = await eventsOn(KINDS.job, job.name, job.namespace);
      const acted = events.find((event) => event.includes('GuardActed'));
      process.stdout.write(`    ${mode}, ${database}: went on after ${ms} ms; ${acted ?? 'no guard has acted'}\n`);
      await forget(job);
      expect((await recordOf(policy, job)).phase).not.toBe('succeeded');
      await stillpoint('heal', policy.name, '-n', namespace.name);
      const { heldUndone } = await recordOf(policy, job);
      // Whoever looks when the hooks have let go by themselves finds nothing to undo.
      expect(heldUndone).toMatchObject(by === 'heal' ? { by, done: [] } : { by });
      // What the dead runner has asked for may be cut yet: the next run removes it.
      await leavesNothing(policy, succeeded(await takeBackup(await policyOf(database))));
    });

    // It takes as long as it says.
    test.skipIf(!SOAK)('rule 6: is held for longer than the 30 s of the hooks where the budget is longer', async () => {
      await using slow = await misbehavingClass({ cutDelayMs: 32_000 });
      const record = succeeded(
        await takeBackup(await policyOf('long', { className: slow.name, budget: Duration.seconds(60) })),
      );
      expect(record).toMatchObject({ freezes, proof: { holds: true } });
      expect(record.freezeWindowMs).toBeGreaterThan(31_000);
    });
  });
});
