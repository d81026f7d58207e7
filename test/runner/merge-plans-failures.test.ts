/** Several members under one executor when one of them fails, or all are too late: who is let go, and that there is no backup. */
import { describe, expect, it } from 'vitest';
import type { PlanStep } from '../../runner/engine';
import { StillpointError } from '../../runner/errors';
import { runFrozen } from '../../runner/frozen';
import { forever } from './frozen-fixture';
import { Scene, THAWS } from './merge-plans-fixture';

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
