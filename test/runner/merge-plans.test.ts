/** Several members under one executor: what is frozen, cut and let go when, and what becomes of one that fails. */
import { describe, expect, it } from 'vitest';
import type { EngineSession, Plan, PlanStep } from '../../runner/engine';
import { StillpointError } from '../../runner/errors';
import { type FrozenContext, runFrozen } from '../../runner/frozen';
import { lostOf } from '../../runner/member';
import { factsOf, type MergedPlan, mergePlans, standsStill } from '../../runner/merge-plans';
import type { CutRequest, SnapshotStore, Volume } from '../../runner/ports';
import type { Cut } from '../../src/contract';
import { FakeClock } from '../support/fake-clock';
import { QuietLog } from '../support/quiet-log';

const VOLUMES: readonly Volume[] = ['a', 'b', 'c'].map((name) => ({
  name: `data-${name}`,
  role: 'data',
  claim: `claim-${name}`,
  namespace: 'shop',
}));

type Fail = (event: string) => Error | undefined;

/** Members a, b and c, of which everything that happens is written down, and a store that does as the test says. */
class Scene {
  readonly events: string[] = [];
  readonly clock = new FakeClock();
  readonly log = new QuietLog();
  readonly stop = new AbortController();
  fail: Fail = () => undefined;
  cutting: (request: CutRequest, signal: AbortSignal) => Promise<void> = async () => undefined;
  facts: Record<string, string> = {};

  readonly context: FrozenContext = {
    store: this.#store(),
    volumes: VOLUMES,
    request: { id: '20260101000000', database: 'shop', labels: {}, annotations: {} },
    jobUid: 'job',
    budgetMs: 5000,
    clock: this.clock,
    log: this.log,
    signal: this.stop.signal,
  };

  /** Prepares twice, freezes, flushes, is cut, looks once more. */
  plan(name: string, changes: Partial<Plan> = {}): { readonly name: string; readonly plan: Plan } {
    const act = (what: string, freezes = false): PlanStep => ({
      kind: 'act',
      name: what,
      ...(freezes ? { freezes } : {}),
      run: async () => this.happens(`${name} ${what}`),
    });
    return {
      name,
      plan: {
        layout: 'atomic',
        freezes: 'writes',
        statement: 'it held',
        steps: [
          act('waits'),
          act('changes'),
          act('freezes', true),
          act('flushes'),
          { kind: 'cut', volumes: [`data-${name}`], how: 'individually' },
          act('looks'),
        ],
        observe: async () => {
          this.happens(`${name} observed`);
          return { session: this.facts[name] ?? '1' };
        },
        thaw: async () => this.happens(`${name} thawed`),
        results: () => ({ position: { at: name }, artifacts: {}, warnings: [`of ${name}`] }),
        ...changes,
      },
    };
  }

  merged(...plans: readonly { readonly name: string; readonly plan: Plan }[]): MergedPlan {
    const all = plans.length > 0 ? plans : ['a', 'b', 'c'].map((name) => this.plan(name));
    return mergePlans(all, { clock: this.clock, together: false });
  }

  happens(event: string): void {
    this.events.push(event);
    const error = this.fail(event);
    if (error !== undefined) throw error;
  }

  #store(): SnapshotStore {
    return {
      atomic: true,
      names: ({ database, volumes, id }) => volumes.map(({ name }) => `${database}-${name}-${id}`),
      check: async () => [],
      cut: async (request, signal) => {
        this.events.push(`cut ${request.how} ${request.volumes.map(({ name }) => name).join(' ')}`);
        await this.cutting(request, signal);
        const at = this.clock.now().toISOString();
        return request.volumes.map(
          ({ name }): Cut => ({
            volume: name,
            snapshot: name,
            seenBy: 'copy',
            driverKnown: true,
            askedAt: at,
            seenAt: at,
          }),
        );
      },
      ready: async (cuts) => cuts,
      discard: async ({ names }) => {
        this.events.push(`discard ${names.length}`);
        return [];
      },
      find: async () => [],
    };
  }
}

const THAWS = ['a thawed', 'b thawed', 'c thawed'];
const forever = (_: unknown, signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

describe('the plans of several members', () => {
  it('freeze all before the one cut of all, and let go of none before the last was seen and all are proven', async () => {
    const scene = new Scene();
    const outcome = await runFrozen(scene.merged(), scene.context);
    expect(scene.events).toEqual([
      ...['a waits', 'b waits', 'c waits', 'a changes', 'b changes', 'c changes'],
      ...['a freezes', 'b freezes', 'c freezes'],
      ...['a flushes', 'b flushes', 'c flushes'],
      ...['a observed', 'b observed', 'c observed'],
      'cut individually data-a data-b data-c',
      ...['a looks', 'b looks', 'c looks'],
      ...['a observed', 'b observed', 'c observed'],
      ...THAWS,
    ]);
    expect(outcome.proof.after.facts).toEqual({ 'a.session': '1', 'b.session': '1', 'c.session': '1' });
    expect(outcome.proof.statement).toBe(
      'every member was held from before the first cut until after the last; a, b, c: it held',
    );
    expect(outcome.results.warnings).toEqual(['a: of a', 'b: of b', 'c: of c']);
  });

  it('are cut by one group snapshot where there is a class of such', () => {
    const scene = new Scene();
    const merged = mergePlans([scene.plan('a'), scene.plan('b')], { clock: scene.clock, together: true });
    expect(merged.steps.filter(({ kind }) => kind === 'cut')).toEqual([
      { kind: 'cut', volumes: ['data-a', 'data-b'], how: 'together' },
    ]);
  });

  it.each([
    [['a', 'b'], false, 'writes', 'every member was held from before the first cut until after the last'],
    [['a'], false, 'writes', 'a held from before the first cut until after the last'],
    [['a'], true, 'writes', 'all were cut at one instant, a held from before the first cut until after the last'],
    [[], true, 'nothing', 'all were cut at one instant'],
    [[], false, 'nothing', 'no member was held'],
  ])('say who was held: %j, cut together: %j', (held, together, freezes, said) => {
    const scene = new Scene();
    const plans = ['a', 'b'].map((name) => scene.plan(name, held.includes(name) ? {} : { freezes: 'nothing' }));
    const merged = mergePlans(plans, { clock: scene.clock, together });
    expect(merged).toMatchObject({ freezes, statement: `${said}; a, b: it held` });
  });

  it('know how long each member was held: the one that is frozen first is held longest', async () => {
    const scene = new Scene();
    scene.fail = (event) => {
      if (event.endsWith(' freezes')) scene.clock.advance(100);
      return undefined;
    };
    const merged = scene.merged();
    const outcome = await runFrozen(merged, scene.context);
    expect(['a', 'b', 'c'].map((name) => merged.windowOf(name).windowMs)).toEqual([200, 100, 0]);
    expect(outcome.windowMs).toBe(200);
  });

  it('of members without a freeze go along, and hold nothing', async () => {
    const scene = new Scene();
    const files = scene.plan('c', {
      freezes: 'nothing',
      steps: [{ kind: 'cut', volumes: ['data-c'], how: 'individually' }],
    });
    const merged = scene.merged(scene.plan('a'), files);
    await runFrozen(merged, scene.context);
    expect(merged.freezes).toBe('writes');
    expect(scene.events).toContain('cut individually data-a data-c');
    expect(merged.windowOf('c').windowMs).toBeUndefined();
  });

  it('of a member that holds nothing wait before any other is held, where a step says that it may take long', async () => {
    const scene = new Scene();
    const idle = scene.plan('c', {
      freezes: 'nothing',
      steps: [
        { kind: 'act', name: 'settles', waits: true, run: async () => scene.happens('c settles') },
        { kind: 'act', name: 'reads', run: async () => scene.happens('c reads') },
        { kind: 'cut', volumes: ['data-c'], how: 'individually' },
      ],
    });
    await runFrozen(scene.merged(scene.plan('a'), idle), scene.context);
    const at = (event: string): number => scene.events.indexOf(event);
    expect(at('c settles')).toBeLessThan(at('a freezes'));
    expect(at('c reads')).toBeGreaterThan(at('a freezes'));
  });

  it('that cut in several steps cannot be merged', () => {
    const scene = new Scene();
    const cut: PlanStep = { kind: 'cut', volumes: ['data-a'], how: 'individually' };
    const twice = scene.plan('a', { steps: [cut, cut] });
    expect(standsStill(twice.plan)).toBe(false);
    expect(standsStill(scene.plan('a').plan)).toBe(true);
    expect(() => scene.merged(twice)).toThrow('the plan atomic of a has 2 cuts, and cannot be merged');
  });

  it('keep together what outlives the sessions, with the member whose credentials lead there', () => {
    const scene = new Scene();
    const held = [{ member: 'db:1', host: '10.0.0.1', port: 1, undo: {} }];
    const { plan } = scene.plan('a', { held });
    const merged = mergePlans(
      [
        { name: 'a', of: 'cache', plan },
        { name: 'b', of: '', plan: scene.plan('b', { held }).plan },
      ],
      { clock: scene.clock, together: false },
    );
    expect(merged.held).toEqual([{ ...held[0], of: 'cache' }, held[0]]);
  });
});

describe('rule 6: the proof of several members', () => {
  it('fails for all where one is not what it was', async () => {
    const scene = new Scene();
    scene.cutting = async () => {
      scene.facts.b = '2';
    };
    await expect(runFrozen(scene.merged(), scene.context)).rejects.toMatchObject({
      code: 'proof-failed',
      message: 'between the first cut and the last b.session went from 1 to 2',
    });
    expect(scene.events.slice(-4)).toEqual([...THAWS, 'discard 3']);
  });
});

describe('rule 7: several members have one budget', () => {
  it('when a cut comes too late, all are let go first, then all snapshots are removed', async () => {
    const scene = new Scene();
    scene.cutting = (request, signal) => {
      queueMicrotask(() => scene.clock.advance(5000));
      return forever(request, signal);
    };
    await expect(runFrozen(scene.merged(), scene.context)).rejects.toMatchObject({ code: 'budget-exceeded' });
    expect(scene.events.slice(-4)).toEqual([...THAWS, 'discard 3']);
  });
});

describe('rule 8: when one of several members', () => {
  it('cannot be frozen, those that were are let go, and nothing is cut', async () => {
    const scene = new Scene();
    scene.fail = (event) => (event === 'b freezes' ? new StillpointError('freeze-timeout', 'it is busy') : undefined);
    await expect(runFrozen(scene.merged(), scene.context)).rejects.toMatchObject({
      code: 'freeze-timeout',
      message: 'b: it is busy',
    });
    // The third has been prepared too: what that has changed goes back.
    expect(scene.events.slice(-5)).toEqual(['a freezes', 'b freezes', ...THAWS]);
  });

  it('has not been touched yet, it is not touched by the thaw either', async () => {
    const scene = new Scene();
    scene.fail = (event) => (event === 'b waits' ? new StillpointError('session-lost', 'gone') : undefined);
    await expect(runFrozen(scene.merged(), scene.context)).rejects.toMatchObject({ code: 'session-lost' });
    expect(scene.events).toEqual(['a waits', 'b waits', 'a thawed', 'b thawed']);
  });

  it('cannot be let go, the others are, and there is no backup', async () => {
    const scene = new Scene();
    const stuck = new StillpointError('session-lost', 'gone', { hint: 'restart it' });
    scene.fail = (event) => (event === 'a thawed' || event === 'c thawed' ? stuck : undefined);
    await expect(runFrozen(scene.merged(), scene.context)).rejects.toMatchObject({
      code: 'thaw-failed',
      message: 'of 3 members 2 could not be let go: a: gone; c: gone',
      hint: 'restart it',
    });
    expect(scene.events.slice(-4)[0]).toBe('a thawed');
    expect(scene.events.filter((event) => event.endsWith('thawed'))).toEqual(expect.arrayContaining(THAWS));
    expect(scene.events.at(-1)).toBe('discard 3');
  });

  it('is lost while it is frozen, the others are let go at once', async () => {
    const scene = new Scene();
    scene.cutting = (request, signal) => {
      queueMicrotask(() => scene.stop.abort(new StillpointError('session-lost', 'the session with b ended')));
      return forever(request, signal);
    };
    scene.fail = (event) => (event === 'b thawed' ? new StillpointError('session-lost', 'gone') : undefined);
    await expect(runFrozen(scene.merged(), scene.context)).rejects.toMatchObject({
      message: 'the session with b ended',
    });
    expect(scene.events.slice(-4)).toEqual([...THAWS, 'discard 3']);
  });

  it('fails under the freeze, what the others are at is over before they are let go', async () => {
    const scene = new Scene();
    const flush = Promise.withResolvers<void>();
    const slow = scene.plan('b');
    const steps = slow.plan.steps.map((step): PlanStep => {
      if (step.kind !== 'act' || step.name !== 'flushes') return step;
      return {
        ...step,
        run: async () => {
          await flush.promise;
          scene.events.push('b flushed late');
        },
      };
    });
    scene.fail = (event) => {
      if (event !== 'a flushes') return undefined;
      // Long after whoever does not wait has gone on.
      setImmediate(() => flush.resolve());
      return new StillpointError('freeze-failed', 'no room');
    };
    const run = runFrozen(scene.merged(scene.plan('a'), { ...slow, plan: { ...slow.plan, steps } }), scene.context);
    await expect(run).rejects.toMatchObject({ code: 'freeze-failed', message: 'a: no room' });
    expect(scene.events.slice(-3)).toEqual(['b flushed late', 'a thawed', 'b thawed']);
  });
});

describe('facts of one member', () => {
  it('are those that carry its name', () => {
    expect(factsOf('a', { 'a.pid': '1', 'ab.pid': '2', 'a.x.y': '3' })).toEqual({ pid: '1', 'x.y': '3' });
  });
});

describe('the loss of a session', () => {
  it('is told with the member whose it was, where there are several', () => {
    const lost = new AbortController();
    const session = { lost: lost.signal } as EngineSession;
    const [alone, ofGroup] = [lostOf({ name: '', session }), lostOf({ name: 'orders', session })];
    const reason = new StillpointError('session-lost', 'gone');
    lost.abort(reason);
    expect(alone.reason).toBe(reason);
    expect(ofGroup.reason).toMatchObject({ code: 'session-lost', message: 'orders: gone' });
    expect(lostOf({ name: 'cache', session }).aborted).toBe(true);
  });
});
