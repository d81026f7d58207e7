import { type BackupRecord, dumpLeaseName, leaseName, lockedUntil } from '../../src/contract';
import { chooseRecords } from '../choose-records';
import { asStillpointError, StillpointError } from '../errors';
import type { Handover } from '../handover';
import { newestFirst } from '../listing';
import { recordPath } from '../output/records';
import type { Told } from '../output/told';
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
  /** What is gone of an imported backup; left out where there are none. */
  readonly missingOf?: ((imported: BackupRecord) => Promise<readonly string[]>) | undefined;
  /** Who takes the records away where copies of them are kept in a store; left out where there are none. */
  readonly handover?: Handover | undefined;
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
): AsyncGenerator<Told> {
  const found = await findStep(context, names, options);
  const look = await lookStep(context, found, options);
  const taken = takingFor(options);
  for (const stored of found) await refuseStep(context, taken(stored), look);
  await using leases = new AsyncDisposableStack();
  for (const stored of found) await runnerGoneStep(context, stored, leases);
  if (options.dryRun === true) {
    for (const { record } of found.map(taken)) {
      yield { record, line: `backup ${recordPath(record)} would be deleted, ${fate(record)}\n` };
    }
    return;
  }
  if (found.length === 0) return;
  await confirmStep(context, found.map(taken), options.yes);
  const failures: StillpointError[] = [];
  for (const stored of found) {
    try {
      const removed = await removeBackup(context, await markStep(context, stored, look, taken));
      if (!removed.handedOver) yield deleted(removed.stored);
    } catch (thrown) {
      failures.push(asStillpointError(thrown));
    }
  }
  for await (const { stored, stays } of context.handover?.outcome() ?? []) {
    if (stays === undefined) yield deleted(stored);
    else failures.push(recordStays(stored, stays));
  }
  failIncomplete(failures);
}

function deleted({ record }: StoredRecord): Told {
  return { record, line: `backup ${recordPath(record)} deleted, ${fate(record)}\n` };
}

function recordStays({ record }: StoredRecord, why: string): StillpointError {
  const what = `of backup ${recordPath(record)} there is still its record, with the copy of that in the registry's store`;
  return new StillpointError('delete-incomplete', `${what}: ${why}`, {
    hint: 'it is listed as deleting, and the next prune takes both: look at the pruner in the namespace of the registry',
  });
}

/** Each once, however it was named, newest first: what a later one needs goes after that. */
async function findStep(
  { registry }: DeleteContext,
  names: readonly string[],
  { withData, ...filter }: DeleteOptions,
): Promise<readonly StoredRecord[]> {
  const found = await chooseRecords(registry, names, filter);
  if (withData === true) for (const { record } of found) refuseOwn(record);
  return [...found].sort((one, other) => newestFirst(one.record, other.record));
}

function refuseOwn(record: BackupRecord): void {
  // The record of a dump is signed by nobody: what it names in a store may be somebody else's.
  if (record.imported !== undefined && record.mode === 'dump') {
    throw new StillpointError('delete-refused', `the dump of backup ${recordPath(record)} is another cluster's`, {
      hint: 'delete it there; without --with-data its record here is deleted',
    });
  }
  if (record.imported !== undefined) return;
  throw new StillpointError('usage-invalid', `backup ${recordPath(record)} was not imported`, {
    hint: 'leave --with-data out: what the storage holds of it is deleted anyway',
  });
}

/** What the storage holds of an imported backup is ours from the moment on in which its removal cannot be refused any more. */
type Taking = (stored: StoredRecord) => StoredRecord;

function takingFor({ withData }: DeleteOptions): Taking {
  return (stored) => {
    const { imported } = stored.record;
    if (withData !== true || imported === undefined) return stored;
    return { ...stored, record: { ...stored.record, imported: { ...imported, ownsData: true } } };
  };
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
    const lease = await locksOf(record.namespace).acquire(leaseOf(record), `delete-${record.id}`);
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

function leaseOf({ mode, database }: BackupRecord): string {
  return mode === 'dump' ? dumpLeaseName(database) : leaseName(database);
}

/**
 * Removes what a record stands for, then the record. What could not be removed stays listed in it, in phase `deleting`,
 * and the next prune goes on with it. Answers with the record as it was last, and whether it was left to who takes its copy along.
 */
export async function removeBackup(
  { registry, remover, handover }: Pick<DeleteContext, 'registry' | 'remover' | 'handover'>,
  stored: StoredRecord,
): Promise<{ readonly stored: StoredRecord; readonly handedOver: boolean }> {
  const deleting = await registry.update(stored, { ...stored.record, phase: 'deleting' });
  const left = await remover.remove(deleting);
  // The pruner, where it was asked to do the work, has written down already what came of it.
  if (left.length === 0) {
    if (handover?.take(deleting) === true) return { stored: deleting, handedOver: true };
    await unlessDone(
      registry,
      deleting,
      (now) => now === undefined,
      () => registry.remove(deleting),
    );
    return { stored: deleting, handedOver: false };
  }
  const told = (now: StoredRecord | undefined): boolean => (now?.record.leftovers ?? []).length > 0;
  await unlessDone(registry, deleting, told, () => registry.update(deleting, { ...deleting.record, leftovers: left }));
  throw new StillpointError(
    'delete-incomplete',
    `of backup ${recordPath(stored.record)} there is still ${left.join(', ')}`,
    { hint: 'it is listed as deleting, and the next prune goes on with it; stillpoint delete can be run again' },
  );
}

async function unlessDone(
  registry: Registry,
  { record: { namespace, database, id } }: StoredRecord,
  isDone: (now: StoredRecord | undefined) => boolean,
  change: () => Promise<unknown>,
): Promise<void> {
  try {
    await change();
  } catch (thrown) {
    if (asStillpointError(thrown).code !== 'record-conflict') throw thrown;
    if (!isDone(await registry.get(namespace, database, id))) throw thrown;
  }
}

/** All that are to be deleted count as gone, and so do users that are. */
async function lookStep(context: DeleteContext, found: readonly StoredRecord[], options: DeleteOptions): Promise<Look> {
  const { uses, holder } = context;
  const staleUses = (await Promise.all(found.map((stored) => uses.stale(stored)))).flat();
  const lost = options.withData === true ? await lostImports(context, found) : [];
  return { holder, staleUses, going: new Set([...found.map(pathOf), ...lost]) };
}

/**
 * Imported backups stand in for one whose data is taken along, as long as they are there: another cluster may have deleted what
 * they name.
 */
async function lostImports({ registry, missingOf }: DeleteContext, found: readonly StoredRecord[]): Promise<string[]> {
  const going = new Set(found.map(pathOf));
  const lost: string[] = [];
  for (const { namespace, database } of databasesOf(found)) {
    for (const other of await registry.list({ namespace, database, phases: ['succeeded'] })) {
      if (other.record.imported === undefined || going.has(pathOf(other)) || missingOf === undefined) continue;
      // Whether a dump is still in its store, nobody can be asked here.
      if (other.record.mode === 'dump' || (await missingOf(other.record)).length > 0) lost.push(pathOf(other));
    }
  }
  return lost;
}

function databasesOf(found: readonly StoredRecord[]): readonly BackupRecord[] {
  return [...new Map(found.map(({ record }) => [`${record.namespace}/${record.database}`, record])).values()];
}

/** Safety rule 10, as things are now. */
async function refuseStep({ registry, clock }: DeleteContext, stored: StoredRecord, look: Look): Promise<void> {
  const { namespace, database } = stored.record;
  const locked = ownsData(stored.record) ? lockedUntil(stored.record, clock.now()) : undefined;
  if (locked !== undefined) {
    const message = `backup ${recordPath(stored.record)} is locked in its store until ${locked}`;
    throw new StillpointError('object-locked', message, { hint: 'nobody can remove it before: delete it then' });
  }
  const command = registry.deletionCommand(stored.record);
  const howElse = command === undefined ? undefined : `${command}\n    stillpoint prune`;
  refuseDeletion(stored, await registry.list({ namespace, database }), look, howElse);
}

/**
 * Makes sure that nobody else removes the backups by which this one may go: it is marked, and looked at again (removal.ts).
 * A failed one is nobody's last, and one whose deletion was asked for is marked by that.
 */
async function markStep(
  context: DeleteContext,
  stored: StoredRecord,
  look: Look,
  taken: Taking,
): Promise<StoredRecord> {
  const { registry, holder } = context;
  if (stored.record.phase !== 'succeeded') return taken(stored);
  const marked = (await mark(registry, stored, holder)) ?? changed(stored);
  try {
    await refuseStep(context, taken(marked), look);
  } catch (thrown) {
    await withdraw(registry, marked);
    throw thrown;
  }
  return (await commit(registry, taken(marked))) ?? changed(stored);
}

function changed({ record }: StoredRecord): never {
  throw new StillpointError('record-conflict', `backup ${recordPath(record)} was changed by somebody else meanwhile`, {
    hint: 'look at it again: stillpoint describe',
  });
}

function fate(record: BackupRecord): string {
  if (ownsData(record)) return `with ${contents(record)}`;
  const how = record.mode === 'dump' ? '' : ' (--with-data deletes that too)';
  return `without ${contents(record)} of the cluster that took it${how}`;
}

function contents({ mode, cuts, objects = [], leftovers }: BackupRecord): string {
  if (mode === 'dump')
    return objects.length === 0 ? 'what it has in its store' : objects.map(({ location }) => location).join(', ');
  const count = cuts.length + (leftovers?.length ?? 0);
  return count === 1 ? '1 snapshot' : `${count} snapshots`;
}
