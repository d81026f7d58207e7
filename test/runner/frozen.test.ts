/**
 * The executor's order of things, with a plan and a store that only write down what is asked of them. That real engines
 * and real storage behave so is shown in test/integration and test/e2e.
 */
import { describe, expect, it } from 'vitest';
import { changedFacts } from '../../runner/changed-facts';
import type { Plan, PlanStep } from '../../runner/engine';
import { StillpointError } from '../../runner/errors';
import { type FrozenContext, runFrozen } from '../../runner/frozen';
import type { CutRequest, SnapshotStore, Volume } from '../../runner/ports';
import type { Cut } from '../../src/contract';
import { FakeClock } from '../support/fake-clock';
import { QuietLog } from '../support/quiet-log';

const DATA: Volume = { name: 'data', role: 'data', claim: 'pg-data', namespace: 'shop' };
const WAL: Volume = { name: 'wal', role: 'log', claim: 'pg-wal', namespace: 'shop' };

interface Scene {
  readonly events: string[];
  readonly clock: FakeClock;
  readonly log: QuietLog;
  readonly stop: AbortController;
  readonly context: FrozenContext;
}

/** A store whose cut takes as long as the test lets it. */
function scene(behaviour: { cut?: (request: CutRequest, signal: AbortSignal) => Promise<void> } = {}): Scene {
  const events: string[] = [];
  const clock = new FakeClock();
  const log = new QuietLog();
  const stop = new AbortController();
  const store: SnapshotStore = {
    atomic: true,
    names: ({ database, volumes, id }) => volumes.map(({ name }) => `${database}-${name}-${id}`),
    check: async () => [],
    async cut(request, signal) {
      events.push(`cut ${request.volumes.map(({ name }) => name).join(' ')}`);
      await behaviour.cut?.(request, signal);
      return request.volumes.map(
        ({ name }): Cut => ({
          volume: name,
          snapshot: name,
          seenBy: 'creationTime',
          driverKnown: true,
          askedAt: clock.now().toISOString(),
          seenAt: clock.now().toISOString(),
        }),
      );
    },
    ready: async (cuts) => cuts,
    async discard({ names }) {
      events.push(`discard ${names.join(' ')}`);
      return [];
    },
    find: async () => [],
  };
  const context: FrozenContext = {
    store,
    volumes: [DATA, WAL],
    request: { id: '20260101000000', database: 'pg', labels: {}, annotations: {} },
    jobUid: 'job',
    budgetMs: 5000,
    clock,
    log,
    signal: stop.signal,
  };
  return { events, clock, log, stop, context };
}

function plan(events: string[], changes: Partial<Plan> = {}): Plan {
  const act = (name: string, freezes = false): PlanStep => ({
    kind: 'act',
    name,
    freezes,
    run: async () => void events.push(name),
  });
  return {
    layout: 'backup-mode',
    freezes: 'log-recycling',
    statement: 'it held',
    steps: [
      act('start', true),
      { kind: 'cut', volumes: ['data'], how: 'individually' },
      act('stop'),
      { kind: 'cut', volumes: ['wal'], how: 'individually' },
    ],
    async observe() {
      events.push('observe');
      return { pid: '7' };
    },
    async thaw() {
      events.push('thaw');
    },
    results: () => ({ position: { lsn: '0/1' }, artifacts: {}, warnings: [] }),
    ...changes,
  };
}

const forever = (_: unknown, signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

describe('the executor of plans', () => {
  it('freezes, cuts in order, proves on the same session and only then thaws', async () => {
    const { events, clock, context } = scene();
    const outcome = await runFrozen(plan(events), context);
    expect(events).toEqual(['start', 'observe', 'cut data', 'stop', 'cut wal', 'observe', 'thaw']);
    expect(outcome.cuts.map(({ volume }) => volume)).toEqual(['data', 'wal']);
    expect(outcome.proof).toMatchObject({
      holds: true,
      before: { facts: { pid: '7' } },
      after: { facts: { pid: '7' } },
    });
    expect(clock.armed).toBe(0);
  });

  it('waits for its turn once, right before the freeze, and a budget does not run meanwhile', async () => {
    const { events, clock, context } = scene();
    const beforeFreeze = async (): Promise<void> => {
      events.push('turn');
      clock.advance(60_000);
    };
    const [first, ...rest] = plan(events).steps;
    const prepare: PlanStep = { kind: 'act', name: 'prepare', run: async () => void events.push('prepare') };
    const steps = [prepare, ...(first === undefined ? [] : [first]), ...rest];
    const outcome = await runFrozen(plan(events, { steps }), { ...context, beforeFreeze });
    expect(events.slice(0, 4)).toEqual(['prepare', 'turn', 'start', 'observe']);
    expect(events.filter((event) => event === 'turn')).toHaveLength(1);
    expect(outcome.windowMs).toBe(0);
  });

  it('waits for its turn before the first step of all where that may change what outlives the session', async () => {
    const { events, context } = scene();
    const prepare: PlanStep = { kind: 'act', name: 'prepare', run: async () => void events.push('prepare') };
    const held = [{ member: 'pg:1', host: '10.0.0.1', port: 1, undo: {} }];
    const changed = plan(events, { steps: [prepare, ...plan(events).steps], held });
    await runFrozen(changed, { ...context, beforeFreeze: async () => void events.push('turn') });
    expect(events.slice(0, 3)).toEqual(['turn', 'prepare', 'start']);
  });

  it('prepares the cuts when its turn has come, before the freeze, and ends what that has opened after the thaw', async () => {
    const { events, context } = scene();
    const prepare: SnapshotStore['prepare'] = async ({ id, how }) => {
      events.push(`prepare ${id} ${how}`);
      return { [Symbol.dispose]: () => void events.push('end') };
    };
    const prepared = {
      ...context,
      store: { ...context.store, prepare },
      beforeFreeze: async () => void events.push('turn'),
    };
    await runFrozen(plan(events), prepared);
    expect(events.slice(0, 3)).toEqual(['turn', 'prepare 20260101000000 individually', 'start']);
    expect(events.slice(-2)).toEqual(['thaw', 'end']);
  });

  it('rule 8: says once that something holds that nobody can see, also where the window is open already', async () => {
    const { events, context } = scene();
    const hook = (name: string): PlanStep => ({
      kind: 'act',
      name,
      freezes: true,
      holdsFromStart: true,
      run: async () => void events.push(name),
    });
    const { steps } = plan(events);
    const [lock, ...rest] = steps as [PlanStep, ...PlanStep[]];
    const onHold = async (): Promise<void> => void events.push('told');
    await runFrozen(plan(events, { steps: [lock, hook('first'), hook('second'), ...rest] }), { ...context, onHold });
    expect(events.filter((each) => ['start', 'told', 'first', 'second'].includes(each))).toEqual([
      'start',
      'told',
      'first',
      'second',
    ]);
  });

  it('freezes nothing when the cuts cannot be prepared', async () => {
    const { events, context } = scene();
    const gone = new StillpointError('kubernetes-unreachable', 'nobody answers');
    const store: SnapshotStore = { ...context.store, prepare: () => Promise.reject(gone) };
    await expect(runFrozen(plan(events), { ...context, store })).rejects.toBe(gone);
    expect(events).toEqual(['thaw']);
  });

  it('gives what comes before its turn the time to wait for that, and the freeze its budget', async () => {
    const { events, context } = scene();
    const told: Record<string, number> = {};
    const tell = (name: string, freezes = false): PlanStep => ({
      kind: 'act',
      name,
      freezes,
      run: async ({ remainingMs }) => {
        told[name] = remainingMs();
      },
    });
    const steps = [tell('prepare'), tell('freeze', true), tell('held'), ...plan(events).steps.slice(1)];
    await runFrozen(plan(events, { steps }), { ...context, beforeFreeze: async () => undefined, waitMs: 600_000 });
    expect(told).toEqual({ prepare: 605_000, freeze: 5_000, held: 5_000 });
  });

  it('freezes nothing when its turn does not come', async () => {
    const { events, context } = scene();
    const busy = new StillpointError('controller-busy', 'others are at it');
    const run = runFrozen(plan(events), { ...context, beforeFreeze: () => Promise.reject(busy) });
    await expect(run).rejects.toBe(busy);
    expect(events).toEqual(['thaw']);
  });

  it('measures the window from the freeze to the thaw', async () => {
    const { events, clock, context } = scene({ cut: async () => clock.advance(100) });
    const outcome = await runFrozen(plan(events), context);
    expect(outcome.windowMs).toBe(200);
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

  it('a plan without a freeze has its budget from the first request on', async () => {
    const { events, clock, context } = scene({ cut: async () => clock.advance(80) });
    const atomic = plan(events, {
      freezes: 'nothing',
      steps: [{ kind: 'cut', volumes: ['data'], how: 'individually' }],
    });
    const outcome = await runFrozen(atomic, context);
    expect(outcome.windowMs).toBe(80);
    expect(events).toEqual(['observe', 'cut data', 'observe', 'thaw']);
  });
});

describe('changedFacts', () => {
  it.each([
    [{ a: '1' }, { a: '1' }, []],
    [{ a: '1' }, { a: '2' }, ['a went from 1 to 2']],
    [{ a: '1' }, {}, ['a went from 1 to unknown']],
    [{}, { b: '2' }, ['b went from unknown to 2']],
  ])('%j → %j', (before, after, changes) => {
    expect(changedFacts(before as Record<string, string>, after as Record<string, string>)).toEqual(changes);
  });
});
