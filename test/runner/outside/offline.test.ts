import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../runner/engine';
import { NO_TARGET } from '../../../runner/engine';
import { StillpointError } from '../../../runner/errors';
import { offlineGuard } from '../../../runner/outside/offline-guard';
import { stopped } from '../../../runner/outside/offline-plan';
import type { HolderWatch, SeenWorkload, Workloads } from '../../../runner/ports';
import { FakeClock } from '../../support/fake-clock';
import { QuietLog } from '../../support/quiet-log';

const workload = { kind: 'StatefulSet', name: 'graph' } as const;
const within = { signal: new AbortController().signal, remainingMs: () => 1000 };

const plan: Plan = {
  layout: 'atomic',
  freezes: 'nothing',
  statement: 'the files are those of a server that was stopped',
  steps: [
    { kind: 'act', name: 'read the position', run: async () => undefined },
    { kind: 'cut', volumes: ['data'], how: 'individually' },
  ],
  observe: async () => ({}),
  thaw: async () => undefined,
  results: () => ({ position: {}, artifacts: {}, warnings: [] }),
};

/** A workload of one pod, as its controllers would have it. */
class World implements Workloads {
  readonly clock = new FakeClock();
  readonly scaled: number[] = [];
  seen: SeenWorkload = { uid: 'u', generation: '1', replicas: 1, ready: 1, holders: ['graph-0'] };
  since: string[] = [];

  look = async (): Promise<SeenWorkload> => this.seen;
  check = async (): Promise<readonly []> => [];
  scale = async (_: unknown, replicas: number): Promise<void> => {
    this.scaled.push(replicas);
    this.seen = {
      ...this.seen,
      replicas,
      ready: replicas,
      holders: replicas === 0 ? [] : ['graph-0'],
      generation: `${Number(this.seen.generation) + 1}`,
    };
  };
  watchHolders = (): HolderWatch => ({
    free: async () => undefined,
    since: this.since,
    [Symbol.asyncDispose]: async () => undefined,
  });

  plan(): Plan {
    return stopped(
      plan,
      { workload, seen: this.seen, claims: ['data-graph-0'] },
      { workloads: this, clock: this.clock },
    );
  }
}

async function stop({ steps }: Plan): Promise<void> {
  for (const step of steps) if (step.kind === 'act') await step.run(within);
}

describe('a database that is stopped for its cuts', () => {
  it('is scaled to zero right before the cut, and back to as many as there were', async () => {
    const world = new World();
    world.seen = { ...world.seen, replicas: 3 };
    const halted = world.plan();
    expect(halted.steps.map((step) => (step.kind === 'act' ? step.name : 'cut'))).toEqual([
      'read the position',
      'stop statefulset/graph',
      'cut',
    ]);
    expect(halted).toMatchObject({
      freezes: 'everything',
      held: [{ by: 'workload', undo: { replicas: '3', uid: 'u', claims: 'data-graph-0' } }],
    });
    await stop(halted);
    await halted.thaw(within);
    expect(world.scaled).toEqual([0, 3]);
  });

  it('that was stopped already is left so, and nothing of it is held', async () => {
    const world = new World();
    world.seen = { ...world.seen, replicas: 0, ready: 0, holders: [] };
    const halted = world.plan();
    expect([halted.held, halted.back]).toEqual([[], undefined]);
    await stop(halted);
    await halted.thaw(within);
    expect(world.scaled).toEqual([]);
  });

  it('rule 6: is proven by nobody having held its claims, and by its workload not having been scaled in between', async () => {
    const world = new World();
    const halted = world.plan();
    await stop(halted);
    const before = await halted.observe(within);
    expect(before).toEqual({ workload: 'statefulset/graph u', replicas: '0', generation: '2', holders: 'none' });
    world.seen = { ...world.seen, generation: '4' };
    expect(await halted.observe(within)).not.toEqual(before);
    world.since.push('pod look');
    await expect(halted.observe(within)).rejects.toMatchObject({
      code: 'proof-failed',
      message: expect.stringMatching(/pod look held data-graph-0/),
    });
  });

  it('leaves alone what somebody else has started meanwhile, with whatever number', async () => {
    const world = new World();
    const halted = world.plan();
    await stop(halted);
    world.seen = { ...world.seen, replicas: 2 };
    await halted.thaw(within);
    expect(world.scaled).toEqual([0]);
  });
});

describe('rule 8: a request to stop it that is given up', () => {
  /** Stops waiting while the request is on its way; `answer` is what becomes of it. */
  async function givenUp(world: World, answer: (replicas: number) => Promise<void>): Promise<Plan> {
    const stopping = new AbortController();
    const scale = world.scale;
    world.scale = async (kind, replicas) => (replicas === 0 ? await answer(replicas) : await scale(kind, replicas));
    const halted = world.plan();
    const [, step] = halted.steps;
    if (step?.kind !== 'act') throw new Error('nothing stops it');
    const run = step.run({ ...within, signal: stopping.signal });
    run.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    stopping.abort(new StillpointError('interrupted', 'told to stop'));
    await expect(run).rejects.toMatchObject({ code: 'interrupted' });
    return halted;
  }

  it('is waited for, and what it has stopped is started', async () => {
    const world = new World();
    const sent = Promise.withResolvers<void>();
    const real = world.scale;
    const halted = await givenUp(world, async (replicas) => {
      await sent.promise;
      await real(undefined, replicas);
    });
    const thaw = halted.thaw(within);
    await new Promise((resolve) => setImmediate(resolve));
    expect(world.scaled).toEqual([]);
    sent.resolve();
    await thaw;
    expect(world.scaled).toEqual([0, 1]);
  });

  it('and never answered leaves open what it may still do', async () => {
    const halted = await givenUp(new World(), async () => {
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      throw new StillpointError('kubernetes-unreachable', 'the API server was silent');
    });
    await expect(halted.thaw(within)).rejects.toMatchObject({ code: 'thaw-failed' });
  });

  it('was refused: then it runs', async () => {
    const world = new World();
    const halted = await givenUp(world, async () => {
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      throw new StillpointError('permission-missing', 'no');
    });
    await halted.thaw(within);
    expect(world.scaled).toEqual([]);
  });
});

it.each([
  ['scaled', { replicas: 2 }],
  ['replaced', { uid: 'another' }],
])('a workload that was %s since it was looked at is not stopped', async (_, change) => {
  const world = new World();
  const halted = world.plan();
  world.seen = { ...world.seen, ...change };
  await expect(stop(halted)).rejects.toMatchObject({ code: 'offline-unsuitable' });
  await halted.thaw(within);
  expect(world.scaled).toEqual([]);
});

describe('its guard', () => {
  const open = async (world: World) => {
    const [held] = world.plan().held ?? [];
    if (held === undefined) throw new Error('nothing is held');
    return await offlineGuard(world, world.clock).open(NO_TARGET, held, new QuietLog(), within.signal);
  };

  it('counts from when the claims are free, and starts it once', async () => {
    const world = new World();
    const session = await open(world);
    expect(await session.holds(within.signal)).toBe(false);
    world.seen = { ...world.seen, replicas: 0 };
    world.clock.advance(1_000);
    expect(await session.holds(within.signal), 'its pod is still there').toBe(false);
    world.seen = { ...world.seen, holders: [] };
    world.clock.advance(1_000);
    expect(await session.holds(within.signal)).toBe(true);
    expect(await session.undo(within.signal)).toEqual(['statefulset/graph was scaled back to 1']);
    expect(await session.undo(within.signal)).toEqual([]);
    expect(world.scaled).toEqual([1]);
  });

  it('takes a pod that does not stop in five minutes for held', async () => {
    const world = new World();
    const session = await open(world);
    world.seen = { ...world.seen, replicas: 0 };
    expect(await session.holds(within.signal)).toBe(false);
    world.clock.advance(300_000);
    expect(await session.holds(within.signal)).toBe(true);
  });

  it('has nothing to start at another workload of its name', async () => {
    const world = new World();
    const [held] = world.plan().held ?? [];
    world.seen = { ...world.seen, uid: 'other' };
    const opening = offlineGuard(world, world.clock).open(NO_TARGET, held as never, new QuietLog(), within.signal);
    await expect(opening).rejects.toMatchObject({ code: 'server-changed' });
  });
});
