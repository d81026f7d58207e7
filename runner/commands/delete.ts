import { type BackupRecord, leaseName } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { recordPath } from '../output/records';
import type { Clock, Lease, Locks, RecordFilter, Registry, Remover, StoredRecord, UseMark, Uses } from '../ports';
import { UNFINISHED } from '../record';
import { commit, mark, withdraw } from '../removal';
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
}

/** Deletes a backup: its snapshots first, its record last. */
export async function deleteBackup(context: DeleteContext, name: string, options: DeleteOptions): Promise<string> {
  const { registry } = context;
  const stored = await findRecord(registry, name, options);
  const path = recordPath(stored.record);
  const staleUses = await context.uses.stale(stored);
  await refuseStep(context, stored, staleUses);
  const lease = await runnerGoneStep(context, stored);
  try {
    await confirmStep(context, stored.record, options.yes);
    await removeBackup(context, await markStep(context, stored, staleUses));
  } finally {
    await lease?.release();
  }
  return `backup ${path} deleted, with ${contents(stored.record)}\n`;
}

async function confirmStep({ confirm }: DeleteContext, record: BackupRecord, yes: boolean): Promise<void> {
  const path = recordPath(record);
  if (yes || (await confirm(`delete backup ${path} with ${contents(record)}? This cannot be undone.`))) return;
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

/** Safety rule 10, as things are now. */
async function refuseStep(
  { registry, holder }: DeleteContext,
  stored: StoredRecord,
  staleUses: readonly UseMark[],
): Promise<void> {
  const { namespace, database } = stored.record;
  const command = registry.deletionCommand(stored.record);
  const howElse = command === undefined ? undefined : `${command}\n    stillpoint prune`;
  refuseDeletion(stored, await registry.list({ namespace, database }), { holder, staleUses }, howElse);
}

/**
 * Makes sure that nobody else removes the backups by which this one may go: it is marked, and looked at again (removal.ts).
 * A failed one is nobody's last, and one whose deletion was asked for is marked by that.
 */
async function markStep(
  context: DeleteContext,
  stored: StoredRecord,
  staleUses: readonly UseMark[],
): Promise<StoredRecord> {
  const { registry, holder } = context;
  if (stored.record.phase !== 'succeeded') return stored;
  const marked = (await mark(registry, stored, holder)) ?? changed(stored);
  try {
    await refuseStep(context, marked, staleUses);
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

function contents({ cuts, leftovers }: BackupRecord): string {
  const count = cuts.length + (leftovers?.length ?? 0);
  return count === 1 ? '1 snapshot' : `${count} snapshots`;
}
