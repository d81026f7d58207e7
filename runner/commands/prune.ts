import { asStillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Log, Registry, Remover, StoredRecord } from '../ports';
import { removeBackup } from './delete';

export interface PruneContext {
  readonly registry: Registry;
  readonly remover: Remover;
  readonly log: Log;
}

/** What a prune did. */
export interface PruneResult {
  /** Backups that are gone with all that belonged to them. */
  readonly removed: readonly string[];
  /** Backups of which an attempt had left something that is gone now; their records stay. */
  readonly cleaned: readonly string[];
  /** What could not be removed: the next prune tries again. */
  readonly left: readonly string[];
}

/**
 * Finishes deletions: records whose deletion somebody asked for (kubectl delete), records in phase `deleting`, and what
 * failed backups could not remove themselves. Nothing is deleted by age here.
 */
export async function prune({ registry, remover, log }: PruneContext): Promise<PruneResult> {
  const removed: string[] = [];
  const cleaned: string[] = [];
  const left: string[] = [];
  for (const stored of await registry.list({})) {
    const path = recordPath(stored.record);
    try {
      if (isToBeRemoved(stored)) {
        await removeBackup({ registry, remover }, stored);
        removed.push(path);
      } else if (hasLeftovers(stored) && (await isUnchanged(registry, stored))) {
        const failed = stored.record.phase === 'failed';
        const remaining = failed ? await remover.remove(stored) : await remover.removeLeftovers(stored);
        await registry.update(stored, { ...stored.record, leftovers: remaining });
        (remaining.length === 0 ? cleaned : left).push(path);
      }
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      log.error({ backup: path, code }, message);
      left.push(path);
    }
  }
  log.info({ removed, cleaned, left }, 'prune done');
  return { removed, cleaned, left };
}

/** A backup that is being made is left alone even when somebody deleted its record: its runner still works on it. */
function isToBeRemoved({ record, deletionRequested }: StoredRecord): boolean {
  const ended = record.phase === 'succeeded' || record.phase === 'failed';
  return record.phase === 'deleting' || (deletionRequested && ended);
}

/**
 * Pruning the records before this one may have taken minutes, and meanwhile the Job's next pod may have begun a failed
 * backup again, under the same names: then nothing of it is left over any more. From its record's change to its first
 * snapshot that pod runs all checks, so what was unchanged a moment ago has no new snapshots yet.
 */
async function isUnchanged(registry: Registry, { record, version }: StoredRecord): Promise<boolean> {
  const now = await registry.get(record.namespace, record.database, record.id);
  return now?.version === version;
}

function hasLeftovers({ record }: StoredRecord): boolean {
  const ended = record.phase === 'failed' || record.phase === 'succeeded';
  return ended && (record.leftovers?.length ?? 0) > 0;
}
