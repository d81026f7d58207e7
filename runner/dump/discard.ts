/** Removes what a backup has in a store, or was going to have. */
import type { BackupRecord } from '../../src/contract';
import { timeLimit } from '../abort';
import { asStillpointError, StillpointError } from '../errors';
import type { Clock, Log } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { folderOf, isOwnerKey, isOwnKey, keysOf } from './keys';
import { ownerOf } from './owner';

/** A store that does not answer is left to the next run. */
const LIMIT_MS = 60_000;

/** What says of a backup what it has in its store. */
export type Discarded = Pick<BackupRecord, 'namespace' | 'database' | 'id' | 'owner' | 'plannedObjects' | 'objects'>;

/**
 * Removes the objects of a record, and the uploads of them that never ended. Answers with what may still be there, as
 * `<key> in <store>`, and so with keys outside of the backup's own folder, which are never touched (safety rule 9). It has a
 * time limit of its own: whoever is told to stop cleans up all the same.
 */
export async function discardObjects(
  record: Discarded,
  open: () => Promise<ObjectStore>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<readonly string[]> {
  const named = keysOf(record);
  if (named.length === 0) return [];
  const keys = named.filter((key) => isOwnKey(record, key));
  const foreign = named.filter((key) => !keys.includes(key));
  using limit = timeLimit(clock, LIMIT_MS, () => new StillpointError('store-unreachable', 'the store took too long'));
  let name = 'the store';
  try {
    const store = await open();
    name = store.name;
    if (await isAnothers(record, keys, store, limit.signal)) {
      log.warn({ store: name }, 'another Job has written under the names of this backup: nothing of it is this one`s');
      return [];
    }
    for (const key of keys) await store.abandon(key, limit);
    await remove(await present(store, keys, limit.signal), store, limit.signal);
    if (foreign.length > 0) log.warn({ foreign }, 'the record names what does not belong to its backup: left alone');
    return foreign.map((key) => `${key} in ${name}`);
  } catch (thrown) {
    const { code, message } = asStillpointError(thrown);
    log.warn({ code }, `what was written could not be removed: ${message}`);
    return named.map((key) => `${key} in ${name}`);
  }
}

/** What is on record as whole was this one's; what was only going to be written may have been by another. */
async function isAnothers(
  { objects, owner: { jobUid } }: Discarded,
  keys: readonly string[],
  store: ObjectStore,
  signal: AbortSignal,
): Promise<boolean> {
  const key = keys.find(isOwnerKey);
  if (objects !== undefined || key === undefined) return false;
  const owner = await ownerOf(store, key, signal);
  return owner !== undefined && owner !== jobUid;
}

/** Those that are there: who may not delete anything is asked nothing where there is nothing to delete. */
async function present(store: ObjectStore, keys: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const there = new Set(await store.hidden?.(keys, { signal }));
  for (const folder of new Set(keys.map(folderOf))) {
    for await (const page of store.list(folder, { signal })) for (const { key } of page) there.add(key);
  }
  return keys.filter((key) => there.has(key));
}

/** Whose it is goes last: until then nobody else takes the folder. */
async function remove(keys: readonly string[], store: ObjectStore, signal: AbortSignal): Promise<void> {
  for (const some of [keys.filter((key) => !isOwnerKey(key)), keys.filter(isOwnerKey)]) {
    if (some.length > 0) await store.delete(some, { signal });
  }
}
