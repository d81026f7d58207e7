/** The plan of a storage manager against a stand-in for its backup hooks: what it takes for held, for let go, and for no backup. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EngineSession, Plan, PlanRequest, StepContext } from '../../../../runner/engine';
import { engine } from '../../../../runner/engines/nuodb';
import { StillpointError } from '../../../../runner/errors';
import { BackupHooksStandIn } from '../../../support/backup-hooks-standin';
import { QuietLog } from '../../../support/quiet-log';
import { archive, ID, request } from './requests';

const never = new AbortController().signal;
const within: StepContext = { signal: never, remainingMs: () => 12_300 };

let hooks: BackupHooksStandIn;

beforeEach(async () => {
  hooks = await BackupHooksStandIn.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await hooks[Symbol.asyncDispose]();
});

async function session(labels: Readonly<Record<string, string>> = {}): Promise<EngineSession> {
  const { host, port } = hooks;
  const target = { connection: { host, port, usernameFile: '' }, username: '', password: '', tls: undefined, labels };
  return await engine.open(target, new QuietLog(), never);
}

const planOf = async (more: Partial<PlanRequest> = {}): Promise<Plan> => (await session()).plan(request(more));

async function begin(plan: Plan, context: StepContext = within): Promise<void> {
  for (const step of plan.steps) if (step.kind === 'act') await step.run(context);
}

/** Up to where the executor has it thawed: held before the first cut, and after the last. */
async function cutPlan(): Promise<Plan> {
  const plan = await planOf();
  await begin(plan);
  await plan.observe(within);
  await plan.observe(within);
  return plan;
}

/** Lets a time limit pass that is set on the machine's own clock; the loopback goes on. */
function passTime(ms: number): void {
  vi.advanceTimersByTime(ms);
}

const freezeTimers = (): void => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });

/** When the hooks have been asked so. */
function askedFor(what: 'begin' | 'end', id = ID): Promise<void> {
  return new Promise((resolve) => {
    hooks.onAsked = (asked) => {
      if (asked.what === what && asked.id === id) resolve();
    };
  });
}

describe('the plan of a storage manager (its hooks are a stand-in)', () => {
  it.each([
    ['two volumes', {}, 'held', 'individually', 'log-recycling', false],
    ['one volume', { volumes: [archive] }, 'atomic', 'individually', 'nothing', false],
    ['a group snapshot', { groupClass: true }, 'group', 'together', 'log-recycling', true],
    ['fsfreeze', { options: { freezeMode: 'fsfreeze' } }, 'held', 'individually', 'log-recycling', false],
    ['suspend', { options: { freezeMode: 'suspend' } }, 'held', 'individually', 'everything', false],
  ] as const)('of %s', async (_, more, layout, how, freezes, atOneInstant) => {
    const plan = await planOf(more);
    expect(plan).toMatchObject({ layout, freezes, atOneInstant });
    expect(plan.steps).toMatchObject([
      { kind: 'act', freezes: true },
      { kind: 'cut', how, volumes: (more as Partial<PlanRequest>).volumes ? ['archive'] : ['archive', 'journal'] },
    ]);
    const { freezeMode = 'hotsnap' } = (more as Partial<PlanRequest>).options ?? {};
    expect(plan.results().position).toEqual({ backupId: ID, mode: freezeMode, exact: 'false' });
  });

  it('is none of a request that is not to be had', async () => {
    const open = await session();
    expect(() => open.plan(request({ layout: 'backup-mode' }))).toThrow(/no layout backup-mode/);
  });

  it('says before what undoes it', async () => {
    const { held } = await planOf();
    expect(held).toMatchObject([{ host: hooks.host, port: hooks.port, undo: { backup: ID } }]);
  });

  it('begins once, to end by itself two seconds after the budget, and ends once', async () => {
    const plan = await cutPlan();
    expect(hooks.current).toBe(ID);
    expect(await plan.observe(within)).toEqual({ backup: ID });
    await plan.thaw(within);
    await plan.thaw(within);
    expect(hooks.current).toBeUndefined();
    // A number of whole seconds: the hooks refuse anything else.
    expect(hooks.asked).toEqual([
      { what: 'begin', id: ID, timeout: 15 },
      { what: 'end', id: ID },
    ]);
  });

  it('asks nobody to end what was never begun', async () => {
    await (await planOf()).thaw(within);
    expect(hooks.asked).toEqual([]);
  });
});

describe('a backup that the hooks do not begin', () => {
  it('is refused as left behind where another one is at work, which stays', async () => {
    const plan = await planOf();
    hooks.current = 'theirs';
    await expect(begin(plan)).rejects.toMatchObject({ code: 'freeze-left' });
    await plan.thaw(within);
    expect([hooks.current, hooks.asked.map(({ what }) => what)]).toEqual(['theirs', ['begin']]);
  });

  it('is refused in their words otherwise, and nothing is ended', async () => {
    const plan = await planOf();
    hooks.fault = ({ what }) => (what === 'begin' ? { status: 400, message: 'Invalid request timeout' } : undefined);
    await expect(begin(plan)).rejects.toMatchObject({
      code: 'freeze-failed',
      message: expect.stringContaining('Invalid request timeout (400)'),
    });
    await plan.thaw(within);
    expect(hooks.asked.map(({ what }) => what)).toEqual(['begin']);
  });

  it.each([500, 503, 302])('is ended all the same where they failed with %i: they may hold', async (status) => {
    const plan = await planOf();
    hooks.fault = ({ what }) => (what === 'begin' ? { status, message: 'nuocmd: no answer' } : undefined);
    hooks.onAsked = ({ what, id }) => {
      if (what === 'begin') hooks.current = id;
    };
    await expect(begin(plan)).rejects.toMatchObject({ code: 'freeze-failed' });
    await plan.thaw(within);
    expect(hooks.current).toBeUndefined();
  });

  it('is given up after 20 s, and whether it holds is not known where they never answer', async () => {
    const plan = await planOf();
    hooks.fault = ({ what }) => (what === 'begin' ? 'silence' : undefined);
    freezeTimers();
    const asked = askedFor('begin');
    const begun = begin(plan);
    const failed = expect(begun).rejects.toMatchObject({ code: 'freeze-timeout' });
    await asked;
    passTime(20_000);
    await failed;
    const over = new AbortController();
    const thawed = plan.thaw({ ...within, signal: over.signal });
    const told = expect(thawed).rejects.toMatchObject({
      code: 'thaw-failed',
      message: expect.stringContaining('whether the backup hooks'),
    });
    over.abort(new StillpointError('thaw-failed', 'the thaw has taken too long'));
    await told;
    // Nobody waits for that answer any more.
    await hooks.gaveUp;
    expect(hooks.asked.map(({ what }) => what)).toEqual(['begin', 'end']);
  });

  it('is not given up before that', async () => {
    const plan = await planOf();
    hooks.fault = ({ what }) => (what === 'begin' ? 'silence' : undefined);
    freezeTimers();
    const asked = askedFor('begin');
    let ended = false;
    const begun = begin(plan).finally(() => {
      ended = true;
    });
    begun.catch(() => undefined);
    await asked;
    passTime(19_999);
    await new Promise(setImmediate);
    expect(ended).toBe(false);
  });

  it('is given up when the backup is, and ended once they have answered', async () => {
    const plan = await planOf();
    const stop = new AbortController();
    const asked = askedFor('begin');
    const begun = begin(plan, { ...within, signal: stop.signal });
    const failed = expect(begun).rejects.toMatchObject({ code: 'interrupted' });
    stop.abort(new StillpointError('interrupted', 'the backup was told to stop'));
    await failed;
    await asked;
    await plan.thaw(within);
    expect(hooks.current).toBeUndefined();
    expect(hooks.asked.map(({ what }) => what)).toEqual(['begin', 'end']);
  });
});

describe('a backup that the hooks have begun', () => {
  it.each([
    ['no backup', undefined],
    ['backup theirs', 'theirs'],
  ])('is not proven where they say that %s is at work', async (said, current) => {
    const plan = await planOf();
    await begin(plan);
    hooks.current = current;
    await expect(plan.observe(within)).rejects.toMatchObject({
      code: 'proof-failed',
      message: expect.stringContaining(`say that ${said} is at work, not ${ID} any more`),
    });
  });

  it.each([
    ['none was at work by then', { current: undefined }],
    ['backup theirs was at work by then', { current: 'theirs' }],
    ['Archiving not paused (500)', { startedAnew: true }],
  ])('is none where its end is answered with: %s', async (why, disturbed) => {
    const plan = await cutPlan();
    Object.assign(hooks, disturbed);
    await expect(plan.thaw(within)).rejects.toMatchObject({
      code: 'proof-failed',
      message: expect.stringContaining(why),
    });
    // It is not held any more: there is nothing to end twice.
    await plan.thaw(within);
    expect(hooks.asked.filter(({ what }) => what === 'end')).toHaveLength(1);
  });

  it('and that has failed already is let go without another complaint', async () => {
    const plan = await planOf();
    await begin(plan);
    await plan.observe(within);
    hooks.startedAnew = true;
    await plan.thaw(within);
    expect(hooks.current).toBeUndefined();
  });

  it.each([503, 404, 204])(
    'may be held still where its end is answered with %i, and is ended by the next try',
    async (status) => {
      const plan = await cutPlan();
      hooks.fault = ({ what }) => (what === 'end' ? { status, message: 'try later' } : undefined);
      await expect(plan.thaw(within)).rejects.toMatchObject({ code: 'thaw-failed' });
      hooks.fault = () => undefined;
      await plan.thaw(within);
      expect(hooks.current).toBeUndefined();
    },
  );

  it('may be held still where its end is not answered: for 10 s, or at all', async () => {
    const plan = await cutPlan();
    hooks.fault = () => 'reset';
    await expect(plan.thaw(within)).rejects.toMatchObject({ code: 'server-unreachable' });
    hooks.fault = () => 'silence';
    freezeTimers();
    const asked = askedFor('end');
    const failed = expect(plan.thaw(within)).rejects.toMatchObject({
      code: 'thaw-failed',
      message: expect.stringContaining('may still be held'),
    });
    await asked;
    passTime(10_000);
    await failed;
    expect(hooks.current).toBe(ID);
  });
});
