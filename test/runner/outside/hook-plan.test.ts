import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { Plan, PlanStep } from '../../../runner/engine';
import { StillpointError } from '../../../runner/errors';
import { actionsAgain, actionsOf, type HookActions } from '../../../runner/outside/hook-actions';
import { hookFindings } from '../../../runner/outside/hook-findings';
import { withHooks } from '../../../runner/outside/hook-plan';
import type { CommandEnd, HookPod, Outside, Volume } from '../../../runner/ports';
import type { Hook } from '../../../src/contract';
import { FakeClock } from '../../support/fake-clock';

const within = { signal: new AbortController().signal, remainingMs: () => 1000 };
const pod: HookPod = {
  name: 'backend-0',
  uid: 'u',
  container: 'app',
  containerId: 'c1',
  mounts: [{ path: '/files', claim: 'uploads' }],
};

function hookOf(name: string, said: string[], more: Partial<HookActions> = {}, hook: Partial<Hook> = {}): HookActions {
  return {
    hook: { name, commands: { preFreeze: ['on'], postThaw: ['off'], check: ['is'] }, ...hook },
    where: 'pod backend-0',
    pod,
    freeze: async () => void said.push(`${name} on`),
    thaw: async () => {
      said.push(`${name} off`);
      return [];
    },
    check: async () => void said.push(`${name}?`),
    ...more,
  };
}

function planOf(said: string[], more: Partial<Plan> = {}): Plan {
  const act = (name: string, freezes = false): PlanStep => ({
    kind: 'act',
    name,
    freezes,
    run: async () => void said.push(name),
  });
  return {
    layout: 'atomic',
    freezes: 'writes',
    statement: 'the server was locked',
    steps: [act('wait'), act('lock', true), { kind: 'cut', volumes: ['data'], how: 'individually' }],
    observe: async () => ({ locked: 'true' }),
    thaw: async () => void said.push('unlock'),
    results: () => ({ position: {}, artifacts: {}, warnings: [] }),
    ...more,
  };
}

const same = async (hook: HookActions): Promise<HookActions> => hook;

async function run({ steps }: Plan): Promise<void> {
  for (const step of steps) if (step.kind === 'act') await step.run(within);
}

describe('hooks around a plan', () => {
  it('take hold after what may take long and before the freeze, and go in the opposite order after its thaw', async () => {
    const said: string[] = [];
    const plan = withHooks(planOf(said), [hookOf('first', said), hookOf('second', said)], same, systemClock);
    await run(plan);
    await plan.thaw(within);
    expect(said).toEqual(['wait', 'first on', 'second on', 'lock', 'unlock', 'second off', 'first off']);
    expect(plan.held).toMatchObject([
      { by: 'hook', host: 'backend-0', undo: { hook: 'first', podUid: 'u' } },
      { by: 'hook' },
    ]);
    expect(plan.thawMs).toBe(15_000 + 2 * 3 * 10_000);
  });

  it('that failed on its way is undone as well, and one that was not reached is not', async () => {
    const said: string[] = [];
    const failing = hookOf('first', said, {
      freeze: async () => {
        throw new StillpointError('hook-failed', 'no');
      },
    });
    const plan = withHooks(planOf(said), [failing, hookOf('second', said)], same, systemClock);
    await expect(run(plan)).rejects.toMatchObject({ code: 'hook-failed' });
    await plan.thaw(within);
    expect(said).toEqual(['wait', 'unlock', 'first off']);
  });

  it('one that cannot be undone keeps no other held', async () => {
    const said: string[] = [];
    const stuck = hookOf('second', said, {
      thaw: async () => {
        throw new StillpointError('hook-failed', 'stuck');
      },
    });
    const plan = withHooks(planOf(said), [hookOf('first', said), stuck], same, systemClock);
    await run(plan);
    await expect(plan.thaw(within)).rejects.toMatchObject({ code: 'thaw-failed', message: 'stuck' });
    expect(said.slice(-2)).toEqual(['unlock', 'first off']);
  });

  it.each([
    {
      of: 'nothing' as const,
      check: true,
      freezes: 'writes',
      said: /held at pod backend-0 from before the first cut until after the last, as it said itself$/,
    },
    { of: 'nothing' as const, check: false, freezes: 'nothing', said: /crash-consistent, hook not proven$/ },
    { of: 'writes' as const, check: false, freezes: 'writes', said: /crash-consistent, hook not proven$/ },
  ])('of a plan that freezes $of, with a check: $check, it is $freezes', ({ of, check, freezes, said }) => {
    const commands = { preFreeze: ['on'], postThaw: ['off'], ...(check ? { check: ['is'] } : {}) };
    const hook = hookOf('writer', [], check ? {} : { check: undefined }, { commands });
    const plan = withHooks(planOf([], { freezes: of }), [hook], same, systemClock);
    expect(plan).toMatchObject({ freezes, statement: expect.stringMatching(said) });
    expect(plan.results().warnings).toHaveLength(check ? 0 : 1);
  });

  it('rule 6: a container that was started anew meanwhile is another fact', async () => {
    let now = pod;
    const again = async (hook: HookActions): Promise<HookActions> => ({ ...hook, pod: now });
    const plan = withHooks(planOf([]), [hookOf('writer', [])], again, systemClock);
    expect(await plan.observe(within)).toEqual({
      locked: 'true',
      'hook.writer': 'held',
      'hook.writer.container': 'c1',
    });
    now = { ...pod, containerId: 'c2' };
    expect(await plan.observe(within)).toMatchObject({ 'hook.writer.container': 'c2' });
  });
});

/** Pods in which commands end when a test says so. */
class Pods {
  readonly run_: { readonly command: readonly string[]; readonly end: (exitCode: number) => void }[] = [];
  readonly found: string[] = [];
  pods: readonly HookPod[] = [pod];

  readonly outside = {
    pods: {
      find: async ({ pod: name, matchLabels }) => {
        this.found.push(name ?? Object.keys(matchLabels ?? {}).join());
        const [only, ...others] = name === undefined ? this.pods : this.pods.filter((each) => each.name === name);
        if (only !== undefined && others.length === 0) return only;
        throw new StillpointError('hook-unsuitable', 'none, or several');
      },
      run: (_, command, signal) =>
        new Promise<CommandEnd>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          this.run_.push({ command, end: (exitCode) => resolve({ exitCode, said: '' }) });
        }),
    },
  } as Pick<Outside, 'pods'> as Outside;
}

describe('rule 8: a command that is not waited for any longer', () => {
  const hook: Hook = {
    name: 'writer',
    timeoutSeconds: 5,
    commands: { pod: 'backend-0', preFreeze: ['on'], postThaw: ['off'] },
  };

  const begin = async () => {
    const clock = new FakeClock();
    const world = new Pods();
    const plan = withHooks(
      planOf([]),
      [await actionsOf(hook, { outside: world.outside, clock }, within.signal)],
      same,
      clock,
    );
    const running = run(plan);
    running.catch(() => undefined);
    await settled(() => world.run_.length === 1);
    clock.advance(5_000);
    await expect(running).rejects.toMatchObject({ code: 'hook-failed' });
    const thaw = plan.thaw(within);
    thaw.catch(() => undefined);
    await settled(() => world.run_.length === 2);
    world.run_[1]?.end(0);
    return { clock, world, thaw };
  };

  it('is waited for in the thaw, and undone once more when it has ended', async () => {
    const { world, thaw } = await begin();
    await settled(() => true);
    expect(world.run_.map(({ command }) => command)).toEqual([['on'], ['off']]);
    world.run_[0]?.end(0);
    await settled(() => world.run_.length === 3);
    world.run_[2]?.end(0);
    await thaw;
    expect(world.run_.map(({ command }) => command)).toEqual([['on'], ['off'], ['off']]);
  });

  it('is not said to be undone when it does not end', async () => {
    const { clock, thaw } = await begin();
    await settled(() => clock.armed > 0);
    clock.advance(5_000);
    await expect(thaw).rejects.toMatchObject({ code: 'thaw-failed', message: expect.stringContaining('not ended') });
  });
});

describe('a hook that is found by labels', () => {
  const labelled: Hook = {
    name: 'writer',
    commands: { matchLabels: { app: 'shop' }, preFreeze: ['on'], postThaw: ['off'] },
  };
  const look = (world: Pods) =>
    actionsAgain(labelled, pod, { outside: world.outside, clock: systemClock }, within.signal);

  it('is undone in the pod that it was used in, though another one is there by now', async () => {
    const world = new Pods();
    world.pods = [pod, { ...pod, name: 'backend-1', uid: 'v' }];
    expect((await look(world)).pod).toEqual(pod);
  });

  it('is undone in the one that is there where its own is gone', async () => {
    const world = new Pods();
    world.pods = [{ ...pod, name: 'backend-1', uid: 'v' }];
    expect((await look(world)).pod?.name).toBe('backend-1');
    world.pods = [{ ...pod, uid: 'anew' }];
    expect(world.found.slice(-2)).toEqual(['backend-0', 'app']);
  });
});

/** Lets what is pending go on until something is so. */
async function settled(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (isSo()) return;
  }
  throw new Error('it does not come about');
}

describe('a file system', () => {
  const volumes = [{ name: 'data', claim: 'uploads' } as Volume];
  const frozen = (path: string): HookActions => hookOf('files', [], {}, { commands: undefined, fileSystem: { path } });

  it.each([
    ['/files', 0],
    ['/files/', 0],
    ['/files/below', 1],
    ['/', 1],
    ['/etc', 1],
  ])('at %s is frozen only where a claim of the policy is mounted', (path, errors) => {
    const found = hookFindings([frozen(path)], volumes).filter(({ severity }) => severity === 'error');
    expect(found).toHaveLength(errors);
  });

  it('of a claim of somebody else is not', () => {
    const [found] = hookFindings([frozen('/files')], [{ name: 'data', claim: 'other' } as Volume]);
    expect(found).toMatchObject({
      code: 'hook-unsuitable',
      message: expect.stringContaining('claim uploads, which is not in the policy'),
    });
  });
});
