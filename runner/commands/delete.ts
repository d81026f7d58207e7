import { type BackupRecord, leaseName } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { newestFirst } from '../listing';
import { recordPath } from '../output/records';
import type { Clock, Locks, RecordFilter, Registry, Remover, StoredRecord, Uses } from '../ports';
import { ownsData, UNFINISHED } from '../record';
import { commit, type Look, mark, pathOf, withdraw } from '../removal';
import { refuseDeletion } from '../rule-ten';

export interface DeleteContext {
  readonly registry: Registry;
  readonly uses: Pick<Uses, 'stale'>;
  readonly remover: Remover;
  readonly clock: Clock;
  /** The locks of a database's namespace: whoever works on its backups holds one. */
  readonly locksOf: (namespace: string) => Locks;
  /** Asks the person at the terminal; without one, says no. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** What nobody else is called who removes backups at the same time: the record is marked with it. */
  readonly holder: string;
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
  const look = await lookStep(context, found);
  for (const stored of found) await refuseStep(context, stored, look);
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
      await removeBackup(context, await markStep(context, stored, look));
      yield `backup ${recordPath(stored.record)} deleted, ${fate(stored.record)}\n`;
    } catch (thrown) {
      failures.push(asStillpointError(thrown));
    }
  }
  failIncomplete(failures);
}

/** Each once, however it was named, newest first: what a later one needs goes after that. */
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
  return [...found.values()].sort((one, other) => newestFirst(one.record, other.record));
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

/** All that are to be deleted count as gone, and so do users that are. */
async function lookStep({ uses, holder }: DeleteContext, found: readonly StoredRecord[]): Promise<Look> {
  const staleUses = (await Promise.all(found.map((stored) => uses.stale(stored)))).flat();
  return { holder, staleUses, going: new Set(found.map(pathOf)) };
}

/** Safety rule 10, as things are now. */
async function refuseStep({ registry }: DeleteContext, stored: StoredRecord, look: Look): Promise<void> {
  const { namespace, database } = stored.record;
  const command = registry.deletionCommand(stored.record);
  const howElse = command === undefined ? undefined : `${command}\n    stillpoint prune`;
  refuseDeletion(stored, await registry.list({ namespace, database }), look, howElse);
}

/**
 * Makes sure that nobody else removes the backups by which this one may go: it is marked, and looked at again (removal.ts).
 * A failed one is nobody's last, and one whose deletion was asked for is marked by that.
 */
async function markStep(context: DeleteContext, stored: StoredRecord, look: Look): Promise<StoredRecord> {
  const { registry, holder } = context;
  if (stored.record.phase !== 'succeeded') return stored;
  const marked = (await mark(registry, stored, holder)) ?? changed(stored);
  try {
    await refuseStep(context, marked, look);
  } catch (thrown) {
    await withdraw(registry, marked);
    throw thrown;
  }
  return (await commit(registry, marked)) ?? changed(stored);
}

function changed({ record }: StoredRecord): never {
  throw new StillpointError('record-conflict', `backup ${recordPath(record)} was changed by somebody else meanwhile`, {
    hint: 'look at it again: stillpoint describe',
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
