/** Work on many backups: on several databases at a time, and on a few of each. */
import type { StoredRecord } from './ports';

/** How many databases are worked on at a time: a removal waits for the storage, and one that is stuck for two minutes. */
const DATABASES = 8;

/** How many of one database: one that is stuck does not hold up the others. */
const OF_EACH = 3;

type Work = (each: StoredRecord) => Promise<void>;

/**
 * Does `work` on each. Of one database they come newest first, and what a later one needs waits for that one. Rejects as
 * the first that fails.
 */
export async function byDatabase(stored: readonly StoredRecord[], work: Work): Promise<void> {
  const databases = Map.groupBy(stored, ({ record: { namespace, database } }) => `${namespace}/${database}`);
  await atOnce([...databases.values()], DATABASES, (backups) => someAtOnce(backups, work));
}

async function someAtOnce(backups: readonly StoredRecord[], work: Work): Promise<void> {
  const begun: { readonly needs: readonly string[]; readonly done: Promise<void> }[] = [];
  await atOnce(backups, OF_EACH, async (each) => {
    const { id, needs = [] } = each.record;
    const needing = begun.filter((other) => other.needs.includes(id)).map(({ done }) => done);
    const done = Promise.all(needing).then(() => work(each));
    begun.push({ needs, done });
    await done;
  });
}

async function atOnce<T>(items: readonly T[], count: number, work: (item: T) => Promise<void>): Promise<void> {
  // All workers draw from one iterator.
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, worker));
}
