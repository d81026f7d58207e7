/** How databases stand: what their records and policies say together. Pure. */
import { type BackupId, type BackupRecord, backupIdTime, nextRun } from '../src/contract';
import type { RecordSummary, Schedule } from './ports';
import { UNFINISHED } from './record';

/** How one database stands. */
export interface DatabaseState {
  readonly namespace: string;
  readonly database: string;
  readonly engine: BackupRecord['engine'] | undefined;
  /** The newest backup that succeeded. */
  readonly lastGood: BackupId | undefined;
  /** The newest that failed. */
  readonly lastFailed: BackupId | undefined;
  /** How many have failed since the last good one, and the first of them. */
  readonly failures: number;
  readonly failingSince: BackupId | undefined;
  /** The one that is being made. */
  readonly running: BackupId | undefined;
  readonly backups: number;
  readonly good: number;
  readonly schedules: readonly Schedule[];
}

/** In one word: `late` is older than asked for, `missing` has no good backup. */
export type Health = 'ok' | 'failing' | 'late' | 'missing';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Databases, by namespace and name. What is kept of each does not grow with its records. */
export class Overview {
  readonly #states = new Map<string, Mutable<DatabaseState>>();

  /** The records of a database have to come oldest first. */
  add({ namespace, database, engine, id, phase, missing }: RecordSummary): void {
    const state = this.#stateOf(namespace, database);
    state.engine = engine;
    if (phase === 'deleting') return;
    state.backups++;
    if (phase === 'succeeded') {
      // It succeeded once, and nothing can be restored from it.
      if (missing === true) return;
      state.good++;
      Object.assign(state, { lastGood: id, failures: 0, failingSince: undefined });
    } else if (phase === 'failed') {
      state.failures++;
      state.lastFailed = id;
      state.failingSince ??= id;
    } else if (UNFINISHED.includes(phase)) {
      state.running = id;
    }
  }

  addSchedule(schedule: Schedule): void {
    const state = this.#stateOf(schedule.namespace, schedule.database);
    state.schedules = [...state.schedules, schedule];
  }

  states(): readonly DatabaseState[] {
    const names = [...this.#states.keys()].sort();
    return names.flatMap((name) => this.#states.get(name) ?? []);
  }

  #stateOf(namespace: string, database: string): Mutable<DatabaseState> {
    // A namespace has no such character: names sort by namespace, then by database.
    const key = `${namespace} ${database}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const state: Mutable<DatabaseState> = {
      ...{ namespace, database, engine: undefined, lastGood: undefined, lastFailed: undefined, failures: 0 },
      ...{ failingSince: undefined, running: undefined, backups: 0, good: 0, schedules: [] },
    };
    this.#states.set(key, state);
    return state;
  }
}

/** How a database stands at an instant; without a `maxAgeMs` nothing is late. */
export function healthOf({ lastGood, failures }: DatabaseState, now: Date, maxAgeMs?: number): Health {
  if (lastGood === undefined) return 'missing';
  if (maxAgeMs !== undefined && now.getTime() - backupIdTime(lastGood).getTime() > maxAgeMs) return 'late';
  return failures > 0 ? 'failing' : 'ok';
}

/** When a policy takes its next backup: an instant, or why there is none. */
export function nextOf(
  { suspended, expression, timeZone }: Schedule,
  now: Date,
): Date | 'suspended' | 'never' | 'unknown' {
  if (suspended) return 'suspended';
  try {
    return nextRun(expression, timeZone, now) ?? 'never';
  } catch {
    // A CronJob that the constructs did not make may say more than they do.
    return 'unknown';
  }
}

/** When a database's next backup begins, by whichever of its policies. */
export function nextOfAll(schedules: readonly Schedule[], now: Date): ReturnType<typeof nextOf> | 'no policy' {
  const next = schedules.map((schedule) => nextOf(schedule, now));
  const times = next.filter((each) => each instanceof Date).sort((one, other) => one.getTime() - other.getTime());
  return times[0] ?? next[0] ?? 'no policy';
}
