/** Work on many backups: in order within a database, on several databases at a time. */
import type { StoredRecord } from './ports';

/** How many databases are worked on at a time: a removal waits for the storage, and one that is stuck for a minute. */
const AT_A_TIME = 8;

/** Does `work` on each; one that is stuck holds up those of its own database alone. Rejects as the first that fails. */
export async function byDatabase(
  stored: readonly StoredRecord[],
  work: (each: StoredRecord) => Promise<void>,
): Promise<void> {
  const databases = Map.groupBy(stored, ({ record: { namespace, database } }) => `${namespace}/${database}`);
  // All workers draw from one iterator.
  const left = databases.values();
  const worker = async (): Promise<void> => {
    for (const backups of left) for (const each of backups) await work(each);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, databases.size) }, worker));
}
