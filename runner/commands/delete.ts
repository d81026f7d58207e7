import { type BackupRecord, leaseName } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { recordPath } from '../output/records';
import type { Clock, Lease, Locks, RecordFilter, Registry, Remover, StoredRecord } from '../ports';
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
  /** Of an imported backup: delete what the storage holds too, although another cluster has taken it. */
  readonly withData?: boolean;
}

/** Deletes a backup: its snapshots first, its record last. */
export async function deleteBackup(context: DeleteContext, name: string, options: DeleteOptions): Promise<string> {
  const { registry } = context;
  const stored = withDataStep(await findRecord(registry, name, options), options);
  const path = recordPath(stored.record);
  await refuseStep(registry, stored);
  const lease = await runnerGoneStep(context, stored);
  try {
    await confirmStep(context, stored.record, options.yes);
    await removeBackup(context, stored);
  } finally {
    await lease?.release();
  }
  return `backup ${path} deleted, ${fate(stored.record)}\n`;
}

/** From here on what the storage holds of an imported backup is ours, if its deletion was asked for. */
function withDataStep(stored: StoredRecord, { withData }: DeleteOptions): StoredRecord {
  const { record } = stored;
  if (withData !== true) return stored;
  if (record.imported === undefined) {
    throw new StillpointError('usage-invalid', `backup ${recordPath(record)} was not imported`, {
      hint: 'leave --with-data out: what the storage holds of it is deleted anyway',
    });
  }
  return { ...stored, record: { ...record, imported: { ...record.imported, ownsData: true } } };
}

async function confirmStep({ confirm }: DeleteContext, record: BackupRecord, yes: boolean): Promise<void> {
  const path = recordPath(record);
  if (yes || (await confirm(`delete backup ${path}, ${fate(record)}? This cannot be undone.`))) return;
  throw new StillpointError('delete-refused', `backup ${path} was not deleted: nobody said yes`, {
    hint: 'answer y, or give --yes',
  });
}

/** A backup that is being made is not deleted. One whose runner is gone is: then nobody holds the database's Lease. */
async function runnerGoneStep({ locksOf }: DeleteContext, { record }: StoredRecord): Promise<Lease | undefined> {
  if (!UNFINISHED.includes(record.phase)) return undefined;
  try {
    return await locksOf(record.namespace).acquire(leaseName(record.database), `delete-${record.id}`);
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

/** Safety rule 10: none that is protected, and not the last good one. */
async function refuseStep(registry: Registry, { record }: StoredRecord): Promise<void> {
  const path = recordPath(record);
  if (record.retention?.protected === true) {
    throw new StillpointError('delete-refused', `backup ${path} is protected`);
  }
  // One that was imported and stays in the storage can be imported again.
  if (record.phase !== 'succeeded' || !ownsData(record)) return;
  const { namespace, database, id, imported } = record;
  // What another cluster can delete any day does not stand in for a backup of our own.
  const others = (await registry.list({ namespace, database })).filter(
    (other) =>
      other.record.phase === 'succeeded' &&
      other.record.id !== id &&
      (imported !== undefined || ownsData(other.record)),
  );
  if (others.length > 0) return;
  const command = registry.deletionCommand(record);
  throw new StillpointError('delete-refused', `backup ${path} is the last good one of its database`, {
    hint: `take another one first${command === undefined ? '' : `; or, to be rid of it all the same:\n    ${command}\n    stillpoint prune`}`,
  });
}

function fate(record: BackupRecord): string {
  if (ownsData(record)) return `with ${contents(record)}`;
  return `and ${contents(record)} left to the cluster that took it (--with-data deletes that too)`;
}

function contents({ cuts, leftovers }: BackupRecord): string {
  const count = cuts.length + (leftovers?.length ?? 0);
  return count === 1 ? '1 snapshot' : `${count} snapshots`;
}
