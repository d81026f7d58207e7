/**
 * NuoDB held by hooks that suspend its engine, without a cluster: both are stand-ins (test/e2e/standins), programs of their own on this
 * machine, and the engine's process is really stopped. With volumes, snapshots and fsfreeze: test/e2e/nuodb-modes.test.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineSession, Plan, StepContext } from '../../runner/engine';
import { engine } from '../../runner/engines/nuodb';
import { ID, request } from '../runner/engines/nuodb/requests';
import { QuietLog } from '../support/quiet-log';

const never = new AbortController().signal;
const within = (seconds: number): StepContext => ({ signal: never, remainingMs: () => seconds * 1000 });

let folder: string;
let port: number;
let manager: ChildProcess;
let hooks: ChildProcess;

function program(name: string, env: Readonly<Record<string, string>>): ChildProcess {
  const file = new URL(`../e2e/standins/${name}.ts`, import.meta.url).pathname;
  return spawn(process.execPath, [file, `${env.STATUS_FILE}`], { env, stdio: ['ignore', 'pipe', 'ignore'] });
}

const env = (): Record<string, string> => ({
  NUODB_ARCHIVE_DIR: join(folder, 'archive'),
  NUODB_JOURNAL_DIR: join(folder, 'journal'),
  STATUS_FILE: join(folder, 'status'),
  FREEZE_MODE: 'suspend',
});

/** Starts the hooks, and answers with their port: another one, unless it is given. */
async function startHooks(at = 0): Promise<number> {
  hooks = program('nuodb-hooks', { ...env(), PORT: `${at}` });
  for await (const line of createInterface({ input: hooks.stdout ?? process.stdin })) return JSON.parse(line).port;
  throw new Error('the hooks have ended');
}

interface State {
  readonly frozen: boolean;
  readonly backup: string;
  readonly archive: number;
  readonly journal: number;
}

async function state(): Promise<State> {
  return (await (await fetch(`http://127.0.0.1:${port}/state`)).json()) as State;
}

/** Who comes to the hooks beside the runner. */
async function ask(path: string, body?: object): Promise<{ readonly success: boolean; readonly message?: string }> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    ...(body && { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as { success: boolean; message?: string };
}

const isWriting = async (): Promise<void> => {
  const from = (await state()).journal;
  await expect.poll(async () => (await state()).journal).toBeGreaterThan(from);
};

const open = (): Promise<EngineSession> =>
  engine.open(
    {
      connection: { host: '127.0.0.1', port, usernameFile: '' },
      username: '',
      password: '',
      tls: undefined,
      environment: { FREEZE_MODE: 'suspend' },
    },
    new QuietLog(),
    never,
  );

/** A plan up to its first cut. */
async function held(seconds: number): Promise<Plan> {
  const plan = (await open()).plan(request());
  for (const step of plan.steps) if (step.kind === 'act') await step.run(within(seconds));
  return plan;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nuodb-'));
  for (const name of ['archive', 'journal']) mkdirSync(join(folder, name));
  manager = program('nuodb-engine', env());
  port = await startHooks();
  await expect.poll(async () => (await state()).journal).toBeGreaterThan(0);
});
afterEach(() => {
  for (const each of [manager, hooks]) each.kill('SIGKILL');
});

// Whether a process is stopped is read in /proc.
describe.runIf(process.platform === 'linux')('hooks that suspend (stand-ins)', () => {
  it('have every thread of the engine stand still from freeze to thaw, and the plan says so', async () => {
    const plan = await held(30);
    expect(plan.freezes).toBe('everything');
    const before = await state();
    expect(before).toMatchObject({ frozen: true, backup: ID });
    await plan.observe(within(30));
    await plan.observe(within(30));
    expect(await state()).toEqual(before);
    await plan.thaw(within(30));
    expect(await state()).toMatchObject({ frozen: false, backup: '' });
    await isWriting();
  });

  it('refuse a second backup, whose checks see the first, and hold that one on', async () => {
    const plan = await held(30);
    const found = await (await open()).check(request({ id: '20261126020001' }));
    expect(found).toMatchObject([{ severity: 'error', code: 'freeze-left', message: expect.stringContaining(ID) }]);
    await expect(held(30)).rejects.toMatchObject({ code: 'freeze-left' });
    expect(await state()).toMatchObject({ frozen: true, backup: ID });
    await plan.thaw(within(30));
    await isWriting();
  });

  it('let go when their time is over: who thaws then is told, and what was seen to hold twice is no backup', async () => {
    // Two seconds later than the budget, which is over at once.
    const plan = await held(0);
    await plan.observe(within(0));
    await plan.observe(within(0));
    await expect.poll(async () => (await state()).frozen).toBe(false);
    await expect(plan.thaw(within(0))).rejects.toMatchObject({
      code: 'proof-failed',
      message: expect.stringContaining('none was at work by then'),
    });
    await isWriting();
  });

  it('are told by the guard to end what they have forgotten the time of, by its id and nobody else’s', async () => {
    const plan = await held(30);
    hooks.kill('SIGKILL');
    await once(hooks, 'exit');
    port = await startHooks(port);
    expect(await state()).toMatchObject({ frozen: true, backup: ID });
    const [kept] = plan.held ?? [];
    if (kept === undefined || engine.guard === undefined) throw new Error('nothing is held');
    const target = { connection: { host: kept.host, port: kept.port, usernameFile: '' }, username: '', password: '' };
    const guard = await engine.guard.open({ ...target, tls: undefined }, kept, new QuietLog(), never);
    expect(await guard.holds(never)).toBe(true);
    expect(await guard.undo(never)).toEqual([expect.stringContaining(`backup ${ID} was ended`)]);
    await isWriting();
    expect(await ask('/pre-backup/theirs', { timeout: 30 })).toEqual({ success: true });
    expect(await guard.undo(never)).toEqual([]);
    expect(await state()).toMatchObject({ frozen: true, backup: 'theirs' });
    await guard.close();
  });
});
