/**
 * Hooks around a freeze: an application that is told to stand still, by commands in its pod and by requests, and a file system
 * that is frozen, all under the rules that an engine's own freeze has. The application says itself how long it stood.
 */
import { Chart, Duration, Testing } from 'cdk8s';
import { BackupVolume, FreezeHook, HookPod, VolumeBackup } from 'stillpoint';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FILES, HOLD, IS_HELD, LET_GO, ledgerIn, startBackend, type TestBackend } from './harness/backend';
import { attemptBackup, backupEnd, succeeded, takeBackup } from './harness/backup';
import { apply, eventsOn, KINDS, list } from './harness/cluster';
import { misbehavingClass } from './harness/disk';
import { forget, nthPod, podsOf, startBackup } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { type TestPolicy, usualProps } from './harness/policy';
import { recordOf, snapshotsLeft } from './harness/records';
import { runnerProcess, unplug } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';
import { clientAs } from './kube/account';

const BUDGET_SECONDS = 8;
const POD = HookPod.ofStatefulSet('backend');

let namespace: TestNamespace;
let backend: TestBackend;

beforeAll(async () => {
  namespace = await makeNamespace('hooks');
  backend = await startBackend({ namespace: namespace.name });
});
afterAll(() => namespace[Symbol.asyncDispose]());
afterEach(async () => {
  await eventually('nothing is held', async () => !(await backend.state()).held);
  await backend.more(5);
});

const commands = (pod = POD): FreezeHook =>
  FreezeHook.commands('writer', { pod, preFreeze: [...HOLD], postThaw: [...LET_GO], check: [...IS_HELD] });

/** Makes the policy as a user writes it. */
async function applyHooked(
  database: string,
  hooks: FreezeHook[],
  { className, budget = BUDGET_SECONDS }: { className?: string; budget?: number } = {},
): Promise<TestPolicy> {
  const chart = new Chart(Testing.app(), 'policy', { namespace: namespace.name });
  const policy = new VolumeBackup(chart, database, {
    volumes: [BackupVolume.fromClaimName(backend.claim)],
    hooks,
    ...usualProps({ className }),
    budget: Duration.seconds(budget),
  });
  await apply(chart.toJson());
  return { name: policy.policyName, namespace: namespace.name, database: policy.databaseName };
}

async function restored(policy: TestPolicy, id: string, claim: string): Promise<readonly number[]> {
  const answer = await stillpoint('restore', `${namespace.name}/${policy.database}/${id}`, '--claim', claim);
  expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
  return await ledgerIn(claim, namespace.name);
}

describe('hooks', () => {
  test.each([
    { how: 'commands in a pod', database: 'by-commands', hook: () => commands() },
    {
      how: 'commands in a pod that is found by its labels',
      database: 'by-labels',
      hook: () => commands(HookPod.withLabels({ app: 'backend' })),
    },
    {
      how: 'requests',
      database: 'by-requests',
      hook: () =>
        FreezeHook.http('writer', {
          preFreezeUrl: `${backend.url}/hold`,
          postThawUrl: `${backend.url}/let-go`,
          checkUrl: `${backend.url}/held`,
        }),
    },
  ])(
    'rule 6: $how hold the writer, the copy ends where it stood, and the record shows it',
    async ({ database, hook }) => {
      const policy = await applyHooked(database, [hook()]);
      await backend.measure();
      const record = succeeded(await takeBackup(policy));
      await backend.more(1);
      const { linesWhenHeld, longestStallMs } = await backend.state();
      expect(record).toMatchObject({
        freezes: 'writes',
        proof: {
          holds: true,
          before: { facts: { 'hook.writer': 'held' } },
          after: { facts: { 'hook.writer': 'held' } },
        },
        held: [{ by: 'hook', undo: { hook: 'writer' } }],
        heldUndone: { by: 'runner' },
      });
      expect(record.proof?.statement).toMatch(/hook writer held at .* until after the last, as it said itself$/);
      expect(record.proof?.after.facts).toEqual(record.proof?.before.facts);
      const lines = await restored(policy, record.id, `copy-${database}`);
      expect(lines).toEqual(Array.from({ length: linesWhenHeld }, (_, index) => index + 1));
      process.stdout.write(
        `    ${database}: ${lines.length} lines, held ${record.freezeWindowMs} ms, stall ${Math.round(longestStallMs)} ms\n`,
      );
    },
  );

  test('without a check are crash-consistent, not proven, and the record and describe say so', async () => {
    const unproven = FreezeHook.commands('writer', { pod: POD, preFreeze: [...HOLD], postThaw: [...LET_GO] });
    const policy = await applyHooked('unproven', [unproven]);
    const record = succeeded(await takeBackup(policy));
    expect(record).toMatchObject({ freezes: 'nothing', heldUndone: { by: 'runner' } });
    expect(record.warnings?.join()).toMatch(/crash-consistent, hook not proven: writer has no check/);
    const described = await stillpoint('describe', `${namespace.name}/${policy.database}/${record.id}`);
    expect(described.stdout).toMatch(/crash-consistent, hook not proven/);
  });

  test('rule 6: a freeze of a file system holds every write, is proven by refusing a second one, and is undone', async () => {
    const hook = FreezeHook.fileSystem('files', { pod: POD, mountPath: FILES });
    const policy = await applyHooked('by-fsfreeze', [hook]);
    await backend.measure();
    const record = succeeded(await takeBackup(policy));
    await backend.more(1);
    const { longestStallMs } = await backend.state();
    expect(record).toMatchObject({ freezes: 'writes', proof: { after: { facts: { 'hook.files': 'held' } } } });
    const { firstAsked = '', lastCutSeen = '' } = record.times;
    expect(longestStallMs).toBeGreaterThan(Date.parse(lastCutSeen) - Date.parse(firstAsked));
    process.stdout.write(`    fsfreeze: held ${record.freezeWindowMs} ms, stall ${Math.round(longestStallMs)} ms\n`);
  });

  test('rule 2: a path that is no claim of the policy is not frozen, and a pod that is not there is named', async () => {
    const node = FreezeHook.fileSystem('node', { pod: POD, mountPath: '/etc' });
    const { error, record } = await attemptBackup(await applyHooked('wrong-path', [node]));
    expect(error).toMatchObject({ code: 'hook-unsuitable' });
    expect(error?.message).toMatch(/has no claim mounted at \/etc, and its whole file system would be frozen/);
    expect(error?.hint).toMatch(/\/files \(files-backend-0\)/);
    expect(record?.held).toBeUndefined();
    const missing = await attemptBackup(await applyHooked('no-pod', [commands(HookPod.named('nobody'))]));
    expect(missing.error).toMatchObject({ code: 'hook-unsuitable' });
    expect(missing.error?.message).toMatch(/there is no pod .*\/nobody/);
  });

  test('rule 7: a hook that fails, or does not end, is undone, and nothing is cut', async () => {
    const failing = FreezeHook.commands('writer', {
      pod: POD,
      preFreeze: ['node', '/app/hold.mjs', 'POST', '/nothing'],
      postThaw: [...LET_GO],
      check: [...IS_HELD],
    });
    const refused = await attemptBackup(await applyHooked('failing', [failing]));
    expect(refused.record).toMatchObject({ phase: 'failed', error: { code: 'hook-failed' }, cuts: [] });
    expect(refused.error?.message).toBe('preFreeze of hook writer ended with 1: answered with 409');
    expect(refused.record?.heldUndone).toMatchObject({ by: 'runner' });
    const endless = FreezeHook.commands('writer', {
      pod: POD,
      preFreeze: ['sleep', '30'],
      postThaw: [...LET_GO],
      timeout: Duration.seconds(2),
    });
    const late = await attemptBackup(await applyHooked('endless', [endless]));
    expect(late.error?.message).toBe('preFreeze of hook writer did not end within 2 s');
    expect(await snapshotsLeft(namespace.name, 'failing')).toEqual([]);
    expect(await snapshotsLeft(namespace.name, 'endless')).toEqual([]);
  });

  test.each([
    { how: 'a writer', database: 'past-writer', hook: () => commands() },
    {
      how: 'a file system',
      database: 'past-files',
      hook: () => FreezeHook.fileSystem('files', { pod: POD, mountPath: FILES }),
    },
  ])('rule 7: $how that a hook would hold past the budget is let go in time, and there is no backup', async (one) => {
    const policy = await applyHooked(one.database, [one.hook()], { className: 'disk-late' });
    await backend.measure();
    const { error, record } = await attemptBackup(policy);
    expect(error).toMatchObject({ code: 'budget-exceeded', message: expect.stringContaining(`${BUDGET_SECONDS} s`) });
    expect(record).toMatchObject({ phase: 'failed', heldUndone: { by: 'runner' } });
    await backend.more(1);
    const { held, longestStallMs } = await backend.state();
    expect(held).toBe(false);
    // It was held until then, and not for longer.
    expect(longestStallMs).toBeGreaterThan(BUDGET_SECONDS * 500);
    expect(longestStallMs).toBeLessThan((BUDGET_SECONDS + 5) * 1000);
    await eventually('nothing is left', async () => (await snapshotsLeft(namespace.name, one.database)).length === 0, {
      seconds: 60,
    });
    process.stdout.write(`    ${one.database}: stall ${Math.round(longestStallMs)} ms\n`);
  });

  test('rule 6: a writer that somebody lets go under the cut fails the proof, and nothing stays', async () => {
    await using slow = await misbehavingClass({ cutDelayMs: 3_000 });
    const policy = await applyHooked('let-go', [commands()], { className: slow.name, budget: 30 });
    const job = await startBackup(policy);
    await eventually('the writer is held', async () => (await backend.state()).held);
    await eventually(
      'a snapshot is asked for',
      async () => (await list(KINDS.snapshot, namespace.name, ofPolicy(policy))).length > 0,
    );
    await backend.letGo();
    await eventually('the backup has failed', async () => (await recordOf(policy, job)).phase === 'failed');
    await forget(job);
    expect((await recordOf(policy, job)).error).toMatchObject({
      code: 'proof-failed',
      message: expect.stringMatching(/hook writer does not hold any more: its check ended with 1/),
    });
    await eventually('nothing is left', async () => (await snapshotsLeft(namespace.name, 'let-go')).length === 0);
  });

  test.each([
    { how: 'killed', lose: 'kill' as const },
    { how: 'cut off from the network', lose: 'unplug' as const },
  ])('rule 8: the guard runs postThaw when the runner is $how', async ({ lose }) => {
    const policy = await applyHooked(`lost-${lose}`, [commands()], { className: 'disk-late' });
    await backend.measure();
    const job = await startBackup(policy);
    const runner = await runnerProcess(await nthPod(job), namespace.name);
    await eventually('the writer is held', async () => (await backend.state()).held);
    if (lose === 'kill') runner.kill();
    else await unplug(runner);
    await eventually('the writer goes on', async () => !(await backend.state()).held);
    await backend.more(5);
    const { longestStallMs } = await backend.state();
    expect(longestStallMs).toBeLessThan((BUDGET_SECONDS + 5) * 1000);
    const acted = await eventually('the guard says so', async () =>
      (await eventsOn(KINDS.job, job.name, job.namespace)).find((event) => event.includes('GuardActed')),
    );
    expect(acted).toMatch(/hook writer at pod backend-0: its postThaw was run/);
    process.stdout.write(`    ${lose}: stall ${Math.round(longestStallMs)} ms; ${acted}\n`);
    await forget(job);
    if (lose === 'unplug') return;
    // What the guard has done stands in the record as soon as somebody looks: the next run, or heal.
    const healed = await stillpoint('heal', policy.name, '-n', namespace.name);
    expect(healed, healed.stderr).toMatchObject({ exitCode: 0 });
    expect((await recordOf(policy, job)).heldUndone).toMatchObject({ by: 'guard' });
  });

  test('rule 8: the next run undoes what runner and guard have both left', async () => {
    const policy = await applyHooked('both-lost', [commands()], { className: 'disk-late', budget: 30 });
    const job = await startBackup(policy);
    await eventually('the writer is held', async () => (await backend.state()).held);
    const [first, second] = await podsOf(job);
    for (const pod of [first, second]) (await runnerProcess(pod?.metadata?.name ?? '', namespace.name)).kill();
    await forget(job);
    expect((await backend.state()).held).toBe(true);
    const plain = await applyHooked('both-lost', [commands()]);
    const next = succeeded(await backendEnd(plain));
    expect(next.phase).toBe('succeeded');
    expect((await recordOf(policy, job)).heldUndone).toMatchObject({ by: 'later-run' });
  });

  test('rule 2: the account may run the commands of its hooks there, and nothing else anywhere', async () => {
    const policy = await applyHooked('rights', [commands()]);
    await using account = await clientAs(namespace.name, policy.name);
    const { signal } = new AbortController();
    const run = (pod: string, command: readonly string[]): Promise<unknown> =>
      account.client.exec({ name: pod, namespace: namespace.name }, { container: 'app', command }, signal);
    expect(await run('backend-0', LET_GO)).toMatchObject({ exitCode: 0 });
    // An admission policy takes hold a moment after it is there.
    const refusal = await eventually('another command is refused', async () =>
      run('backend-0', ['id']).then(
        () => undefined,
        (error: Error) => error.message,
      ),
    );
    expect(refusal).toMatch(/may run the commands of its hooks only/);
    await expect(run('backend-1', LET_GO)).rejects.toMatchObject({ code: 'permission-missing' });
  });
});

const ofPolicy = ({ database }: TestPolicy): string => `stillpoint.dev/database=${database}`;

/** The Lease of a runner that was killed runs out first. */
async function backendEnd(policy: TestPolicy): ReturnType<typeof backupEnd> {
  return await backupEnd(policy, await startBackup(policy), 240);
}
