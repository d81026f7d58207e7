/** What the executor of plans is tried with: a plan and a store that only write down what is asked of them, and a clock that a test moves. */
import type { Plan, PlanStep } from '../../runner/engine';
import type { FrozenContext } from '../../runner/frozen';
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
export function scene(behaviour: { cut?: (request: CutRequest, signal: AbortSignal) => Promise<void> } = {}): Scene {
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

export function plan(events: string[], changes: Partial<Plan> = {}): Plan {
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

export const forever = (_: unknown, signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
