/** In which order backups are shown. Pure. */
import { type BackupRecord, PHASES, type Phase, recordName } from '../src/contract';
import type { RecordSummary } from './ports';

type Named = Pick<BackupRecord, 'namespace' | 'database' | 'id'>;

/** The order in which registries give their pages: that of the records' names. */
export function byName(one: Named, other: Named): number {
  return compare(nameOf(one), nameOf(other));
}

/** What a list shows of how a backup stands, and what `--status` may be. */
export const STATUSES = [...PHASES, 'missing'] as const;

/** One of {@link STATUSES}. */
export type Status = (typeof STATUSES)[number];

/** How a backup stands: its phase, or `missing` where it was imported and the storage does not have it any more: `succeeded` would be taken for good. */
export function statusOf({
  phase,
  missing,
}: {
  readonly phase: Phase;
  readonly missing?: boolean | undefined;
}): Status {
  return phase === 'succeeded' && missing === true ? 'missing' : phase;
}

/** The phases in which records may have these statuses. */
export function phasesOf(statuses: readonly Status[]): readonly Phase[] {
  return PHASES.filter((phase) => statuses.includes(phase) || (phase === 'succeeded' && statuses.includes('missing')));
}

/** What `--sort-by` may be. `held` is how long the database stood still: it is not known without reading the records. */
export const SORT_KEYS = ['database', 'age', 'engine', 'status', 'held'] as const;

/** One of {@link SORT_KEYS}. */
export type SortKey = (typeof SORT_KEYS)[number];

/** A row to be sorted. */
export type Sortable = RecordSummary & Pick<Partial<BackupRecord>, 'freezeWindowMs'>;

/** Each by its key, and what is equal by database, the newest first. */
export function orderBy(key: SortKey): (one: Sortable, other: Sortable) => number {
  return (one, other) => ORDERS[key](one, other) || byDatabase(one, other);
}

const ORDERS: Readonly<Record<SortKey, (one: Sortable, other: Sortable) => number>> = {
  database: () => 0,
  age: newestFirst,
  engine: (one, other) => compare(one.engine, other.engine),
  status: (one, other) => STATUSES.indexOf(statusOf(one)) - STATUSES.indexOf(statusOf(other)),
  held: (one, other) => (other.freezeWindowMs ?? -1) - (one.freezeWindowMs ?? -1),
};

/**
 * Pages in the order of names, as they come, in that of databases with the newest first: what is held meanwhile is one
 * database's. The records of a database follow each other in the one order as in the other.
 */
export async function* databaseByDatabase<T extends Named>(pages: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  let held: T[] = [];
  for await (const page of pages) {
    for (const record of page) {
      const [first] = held;
      if (first !== undefined && !isSameDatabase(first, record)) {
        yield* held.sort(newestFirst);
        held = [];
      }
      held.push(record);
    }
  }
  yield* held.sort(newestFirst);
}

/** Newest first. */
export function newestFirst(one: Pick<Named, 'id'>, other: Pick<Named, 'id'>): number {
  return compare(other.id, one.id);
}

/** By database, the newest first in each. */
export function byDatabase(one: Named, other: Named): number {
  return isSameDatabase(one, other) ? newestFirst(one, other) : byName(one, other);
}

export function isSameDatabase(one: Named, other: Named): boolean {
  return one.namespace === other.namespace && one.database === other.database;
}

function nameOf({ namespace, database, id }: Named): string {
  return recordName(namespace, database, id);
}

/** By code units, as the API server orders names. */
function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
