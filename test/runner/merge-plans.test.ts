/** Several members under one executor: what is frozen, cut and let go when, and what is said of it. */
import { describe, expect, it } from 'vitest';
import type { EngineSession, PlanStep } from '../../runner/engine';
import { StillpointError } from '../../runner/errors';
import { runFrozen } from '../../runner/frozen';
import { lostOf } from '../../runner/member';
import { factsOf, mergePlans, standsStill } from '../../runner/merge-plans';
import { Scene, THAWS } from './merge-plans-fixture';

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
