/**
 * The executor's order of things, with a plan and a store that only write down what is asked of them. That real engines
 * and real storage behave so is shown in test/integration and test/e2e.
 */
import { describe, expect, it } from 'vitest';
import { changedFacts } from '../../runner/changed-facts';
import type { PlanStep } from '../../runner/engine';
import { runFrozen } from '../../runner/frozen';
import type { SnapshotStore } from '../../runner/ports';
import { plan, scene } from './frozen-fixture';

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

  it('waits for its turn before a step that looks at what is cut next, though it holds nothing', async () => {
    const { events, context } = scene();
    const act = (name: string, takesTurn = false): PlanStep => ({
      kind: 'act',
      name,
      takesTurn,
      run: async () => void events.push(name),
    });
    const steps = [act('dump'), act('look', true), ...plan(events).steps.filter(({ kind }) => kind === 'cut')];
    const dump = plan(events, { freezes: 'nothing', steps });
    const outcome = await runFrozen(dump, { ...context, beforeFreeze: async () => void events.push('turn') });
    expect(events.slice(0, 4)).toEqual(['dump', 'turn', 'look', 'observe']);
    expect(outcome.windowMs).toBe(0);
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

  it('measures the window from the freeze to the thaw', async () => {
    const { events, clock, context } = scene({ cut: async () => clock.advance(100) });
    const outcome = await runFrozen(plan(events), context);
    expect(outcome.windowMs).toBe(200);
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
