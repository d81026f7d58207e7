/**
 * What earlier runs of the same database left behind, finished or undone before a new backup begins.
 *
 * It runs while the database's Lease is held, so nobody else is at work on these records; whoever still thinks so
 * loses by compare-and-swap.
 */
import { timeLimit } from '../abort';
import { asStillpointError, StillpointError } from '../errors';
import type { Clock, Log, Registry, Run, SnapshotStore, StoredRecord } from '../ports';
import { failedRecord, succeededRecord, UNFINISHED } from '../record';

export interface SweepContext {
  readonly registry: Registry;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly run: Run;
}

/** How long to wait for snapshots of an earlier backup to be ready: it is only looked at on the way. */
const READY_LIMIT_MS = 2_000;

/**
 * Ends each record of a runner that is gone: one whose cuts were proven is finished where its snapshots are ready, any
 * other becomes a failed one and its snapshots are removed. Never fails the new backup.
 */
export async function sweep(context: SweepContext, namespace: string, database: string): Promise<void> {
  const { registry, log, run } = context;
  // Not all records: of an hourly policy there are thousands.
  for (const stored of await registry.list({ namespace, database, phases: UNFINISHED })) {
    const { mode, phase, owner, id } = stored.record;
    // Dumps have a Lease of their own: whoever takes one may be at work.
    if (mode === 'dump' || owner.jobUid === run.owner.jobUid) continue;
    try {
      if (phase === 'cut') await finish(context, stored);
      else await undo(context, stored);
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      log.warn({ id, code }, `backup ${id} of an earlier runner could not be ended: ${message}`);
    }
  }
}

async function finish(context: SweepContext, stored: StoredRecord): Promise<void> {
  const { registry, store, clock, log } = context;
  const { record } = stored;
  const found = await store.find(record);
  if (found.length < record.cuts.length) {
    const counts = `of the ${record.cuts.length} snapshots of backup ${record.id} there are ${found.length}`;
    await fail(context, stored, new StillpointError('cut-lost', counts));
    return;
  }
  using limit = timeLimit(
    clock,
    READY_LIMIT_MS,
    () => new StillpointError('ready-timeout', `the snapshots of backup ${record.id} are not ready yet`),
  );
  const cuts = await store.ready(record.cuts, limit.signal);
  await registry.update(stored, succeededRecord(record, cuts, clock.now()));
  log.info({ id: record.id }, 'a backup that an earlier runner had cut and proven is finished');
}

async function undo(context: SweepContext, stored: StoredRecord): Promise<void> {
  const { id, phase } = stored.record;
  context.log.warn({ id, phase }, 'an earlier runner ended before it was done: what it began is undone');
  const message = `the runner of backup ${id} ended in phase ${phase} and no pod of its Job went on with it`;
  await fail(context, stored, new StillpointError('runner-lost', message));
}

/**
 * The record first: should that runner be alive after all, it can finish the backup no more, and none that is listed as
 * good loses its snapshots.
 */
async function fail(
  { registry, store, clock }: SweepContext,
  stored: StoredRecord,
  error: StillpointError,
): Promise<void> {
  const { id, owner, plannedSnapshots: names = [] } = stored.record;
  const now = clock.now();
  error.leftovers = names;
  const failed = await registry.update(stored, failedRecord(stored.record, error, now));
  if (names.length === 0) return;
  error.leftovers = await store.discard({ id, jobUid: owner.jobUid, names });
  await registry.update(failed, failedRecord(stored.record, error, now));
}
