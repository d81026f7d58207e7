/**
 * What the executor does when a backup comes to nothing: it freezes nothing or lets go, removes what it has cut, and says why. The plan
 * and the store only write down what is asked of them, as in frozen.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { StillpointError } from '../../runner/errors';
import { runFrozen } from '../../runner/frozen';
import type { SnapshotStore } from '../../runner/ports';
import { forever, plan, scene } from './frozen-fixture';

describe('the executor of plans', () => {
  it('freezes nothing when the cuts cannot be prepared', async () => {
    const { events, context } = scene();
    const gone = new StillpointError('kubernetes-unreachable', 'nobody answers');
    const store: SnapshotStore = { ...context.store, prepare: () => Promise.reject(gone) };
    await expect(runFrozen(plan(events), { ...context, store })).rejects.toBe(gone);
    expect(events).toEqual(['thaw']);
  });

  it('freezes nothing when its turn does not come', async () => {
    const { events, context } = scene();
    const busy = new StillpointError('controller-busy', 'others are at it');
    const run = runFrozen(plan(events), { ...context, beforeFreeze: () => Promise.reject(busy) });
    await expect(run).rejects.toBe(busy);
    expect(events).toEqual(['thaw']);
  });

  it('rule 7: when the budget runs out it thaws first, then removes the snapshots, then fails', async () => {
    const { events, clock, context } = scene({
      cut: (request, signal) => {
        queueMicrotask(() => clock.advance(5000));
        return forever(request, signal);
      },
    });
    await expect(runFrozen(plan(events), context)).rejects.toMatchObject({ code: 'budget-exceeded' });
    expect(events).toEqual([
      'start',
      'observe',
      'cut data',
      'thaw',
      'discard pg-data-20260101000000 pg-wal-20260101000000',
    ]);
    expect(clock.armed).toBe(0);
  });

  it('rule 7: a store that does not listen to the budget does not hold the freeze', async () => {
    const { events, clock, context } = scene({
      cut: () => {
        queueMicrotask(() => clock.advance(5000));
        return new Promise(() => undefined);
      },
    });
    await expect(runFrozen(plan(events), context)).rejects.toMatchObject({ code: 'budget-exceeded' });
    expect(events).toContain('thaw');
  });

  it('rule 6: a fact that changed between the cuts fails the backup', async () => {
    const { events, context } = scene();
    let observed = 0;
    const restarted = plan(events, { observe: async () => ({ pid: String(observed++) }) });
    await expect(runFrozen(restarted, context)).rejects.toMatchObject({
      code: 'proof-failed',
      message: 'between the first cut and the last pid went from 0 to 1',
    });
    expect(events.slice(-2)).toEqual(['thaw', 'discard pg-data-20260101000000 pg-wal-20260101000000']);
  });

  it('rule 8: SIGTERM in the middle of a cut thaws', async () => {
    const { events, stop, context } = scene({
      cut: (request, signal) => {
        queueMicrotask(() => stop.abort(new StillpointError('interrupted', 'told to stop')));
        return forever(request, signal);
      },
    });
    await expect(runFrozen(plan(events), context)).rejects.toMatchObject({ code: 'interrupted' });
    expect(events.slice(-2)[0]).toBe('thaw');
  });

  it('a freeze that fails is undone, and nothing is discarded where nothing was asked for', async () => {
    const { events, context } = scene();
    const failing = plan(events, {
      steps: [
        {
          kind: 'act',
          name: 'start',
          freezes: true,
          run: async () => {
            throw new StillpointError('freeze-failed', 'no');
          },
        },
      ],
    });
    await expect(runFrozen(failing, context)).rejects.toMatchObject({ code: 'freeze-failed' });
    expect(events).toEqual(['thaw']);
  });

  it('keeps the first failure when the thaw fails too, and says both', async () => {
    const { events, log, context } = scene({ cut: () => Promise.reject(new StillpointError('cut-failed', 'no')) });
    const stuck = plan(events, { thaw: () => Promise.reject(new StillpointError('session-lost', 'gone')) });
    await expect(runFrozen(stuck, context)).rejects.toMatchObject({ code: 'cut-failed' });
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringContaining('gone') }),
    );
    expect(events.at(-1)).toMatch(/^discard/);
  });

  it('a thaw that fails after good cuts is no success', async () => {
    const { events, context } = scene();
    const stuck = plan(events, { thaw: () => Promise.reject(new StillpointError('thaw-failed', 'held')) });
    await expect(runFrozen(stuck, context)).rejects.toMatchObject({ code: 'thaw-failed' });
    expect(events.at(-1)).toMatch(/^discard/);
  });
});
