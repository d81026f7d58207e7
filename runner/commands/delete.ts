import { type BackupRecord, leaseName } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { newestFirst } from '../listing';
import { recordPath } from '../output/records';
import type { Clock, Locks, RecordFilter, Registry, Remover, StoredRecord } from '../ports';
import { ownsData, UNFINISHED } from '../record';

export interface DeleteContext {
  readonly registry: Registry;
  readonly remover: Remover;
  readonly clock: Clock;
  /** The locks of a database's namespace: whoever works on its backups holds one. */
  readonly locksOf: (namespace: string) => Locks;
  /** Asks the person at the terminal; without one, says no. */
  readonly confirm: (question: string) => Promise<boolean>;
}

export interface DeleteOptions extends RecordFilter {
  /** Do not ask. */
  readonly yes: boolean;
  /** Only say what would be deleted. */
  readonly dryRun?: boolean | undefined;
  /** Of imported backups: delete what the storage holds too, although another cluster has taken it. */
  readonly withData?: boolean | undefined;
}

/**
 * Deletes backups, each with its snapshots first and its record last, and says so as it goes. One that must stay stops
 * all of them before anything is touched; one that cannot be removed to the end does not stop the others.
 */
export async function* deleteBackups(
  context: DeleteContext,
  names: readonly string[],
  options: DeleteOptions,
): AsyncGenerator<string> {
  const found = await findStep(context, names, options);
  await refuseStep(context.registry, found);
  await using leases = new AsyncDisposableStack();
  for (const stored of found) await runnerGoneStep(context, stored, leases);
  if (options.dryRun === true) {
    yield* found.map(({ record }) => `backup ${recordPath(record)} would be deleted, ${fate(record)}\n`);
    return;
  }
  await confirmStep(context, found, options.yes);
  const failures: StillpointError[] = [];
  for (const stored of found) {
    try {
      await removeBackup(context, stored);
      yield `backup ${recordPath(stored.record)} deleted, ${fate(stored.record)}\n`;
    } catch (thrown) {
      failures.push(asStillpointError(thrown));
    }
  }
  failIncomplete(failures);
}

/** Each once, however it was named. */
async function findStep(
  { registry }: DeleteContext,
  names: readonly string[],
  { withData, ...filter }: DeleteOptions,
): Promise<readonly StoredRecord[]> {
  const found = new Map<string, StoredRecord>();
  for (const name of names) {
    const stored = withDataStep(await findRecord(registry, name, filter), withData);
    found.set(recordPath(stored.record), stored);
  }
  return [...found.values()];
}

/** From here on what the storage holds of an imported backup is ours, if its deletion was asked for. */
function withDataStep(stored: StoredRecord, withData: boolean | undefined): StoredRecord {
  const { record } = stored;
  if (withData !== true) return stored;
  if (record.imported === undefined) {
    throw new StillpointError('usage-invalid', `backup ${recordPath(record)} was not imported`, {
      hint: 'leave --with-data out: what the storage holds of it is deleted anyway',
    });
  }
  return { ...stored, record: { ...record, imported: { ...record.imported, ownsData: true } } };
}

async function confirmStep({ confirm }: DeleteContext, found: readonly StoredRecord[], yes: boolean): Promise<void> {
  const lines = found.map(({ record }) => `${recordPath(record)} ${fate(record)}`);
  const what = lines.length === 1 ? `backup ${lines[0]}` : `these backups:\n  ${lines.join('\n  ')}\n`;
  if (yes || (await confirm(`delete ${what}${lines.length === 1 ? '? ' : ''}This cannot be undone.`))) return;
  const paths = found.map(({ record }) => recordPath(record)).join(', ');
  throw new StillpointError('delete-refused', `backup ${paths} was not deleted: nobody said yes`, {
    hint: 'answer y, or give --yes',
  });
}

function failIncomplete(failures: readonly StillpointError[]): void {
  const [first, ...others] = failures;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  throw new StillpointError(first.code, failures.map(({ message }) => message).join('; '), {
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  });
}

/** A backup that is being made is not deleted. One whose runner is gone is: then nobody holds the database's Lease. */
async function runnerGoneStep(
  { locksOf }: DeleteContext,
  { record }: StoredRecord,
  leases: AsyncDisposableStack,
): Promise<void> {
  if (!UNFINISHED.includes(record.phase)) return;
  try {
    const lease = await locksOf(record.namespace).acquire(leaseName(record.database), `delete-${record.id}`);
    leases.defer(() => lease.release());
  } catch (thrown) {
    const { code } = asStillpointError(thrown);
    if (code !== 'backup-in-progress') throw thrown;
    throw new StillpointError('delete-refused', `backup ${recordPath(record)} is being made (${record.phase})`, {
      hint: 'wait until it has ended',
      cause: thrown,
    });
  }
}

/**
 * Removes what a record stands for, then the record. What could not be removed stays listed in it, in phase `deleting`,
 * and the next prune goes on with it.
 */
export async function removeBackup(
  { registry, remover }: Pick<DeleteContext, 'registry' | 'remover'>,
  stored: StoredRecord,
): Promise<void> {
  const deleting = await registry.update(stored, { ...stored.record, phase: 'deleting' });
  const left = await remover.remove(deleting);
  if (left.length === 0) {
    await registry.remove(deleting);
    return;
  }
  await registry.update(deleting, { ...deleting.record, leftovers: left });
  throw new StillpointError(
    'delete-incomplete',
    `of backup ${recordPath(stored.record)} there is still ${left.join(', ')}`,
    { hint: 'it is listed as deleting, and the next prune goes on with it; stillpoint delete can be run again' },
  );
}

/** Safety rule 10: none that is protected, and not the last good one, nor all of the good ones at once. */
async function refuseStep(registry: Registry, found: readonly StoredRecord[]): Promise<void> {
  for (const { record } of found) {
    if (record.retention?.protected !== true) continue;
    throw new StillpointError('delete-refused', `backup ${recordPath(record)} is protected`);
  }
  const going = new Set(found.map(({ record }) => recordPath(record)));
  // The newest of those that would be the last to go is the one to name.
  for (const { record } of [...found].sort((one, other) => newestFirst(one.record, other.record))) {
    // One that was imported and stays in the storage can be imported again.
    if (record.phase !== 'succeeded' || !ownsData(record)) continue;
    if (!(await isAnotherGood(registry, record, going))) throw lastGood(registry, record);
  }
}

async function isAnotherGood(
  registry: Registry,
  { namespace, database, imported }: BackupRecord,
  going: ReadonlySet<string>,
): Promise<boolean> {
  const good = await registry.list({ namespace, database, phases: ['succeeded'] });
  // What another cluster can delete any day does not stand in for a backup of our own.
  return good.some(({ record }) => !going.has(recordPath(record)) && (imported !== undefined || ownsData(record)));
}

function lastGood(registry: Registry, record: BackupRecord): StillpointError {
  const command = registry.deletionCommand(record);
  return new StillpointError('delete-refused', `backup ${recordPath(record)} is the last good one of its database`, {
    hint: `take another one first${command === undefined ? '' : `; or, to be rid of it all the same:\n    ${command}\n    stillpoint prune`}`,
  });
}

function fate(record: BackupRecord): string {
  if (ownsData(record)) return `with ${contents(record)}`;
  return `without ${contents(record)} of the cluster that took it (--with-data deletes that too)`;
}

function contents({ cuts, leftovers }: BackupRecord): string {
  const count = cuts.length + (leftovers?.length ?? 0);
  return count === 1 ? '1 snapshot' : `${count} snapshots`;
}
