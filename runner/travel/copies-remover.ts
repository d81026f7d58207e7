/**
 * Removes the copy of a backup's record before the record itself goes: as long as that is there, as `deleting`, each prune asks the
 * store again. A copy whose record is gone is nobody's (docs/decisions/0087-copies-of-records.md).
 */
import { timeLimit } from '../abort';
import { asStillpointError, StillpointError } from '../errors';
import type { Clock, Log, Remover, StoredRecord } from '../ports';
import type { CallOptions, ObjectStore } from '../storage/object-store';
import { readOwner } from '../storage/texts';
import { COPIES_OWNER, type CopiesOwner, type CopyOf, copyKey, mayHaveCopy } from './stored-copies';

/** Longer than this a prune does not wait for the store; what is removed after that meets the same answer at once. */
const LIMIT_MS = 120_000;

/** Where the copies lie, and whose they have to be. */
export interface RemovedCopies {
  readonly open: () => Promise<ObjectStore>;
  readonly owner: () => Promise<CopiesOwner>;
}

/** What removes backups, and the copies of their records with them. */
export class CopiesRemover implements Remover {
  readonly #data: Remover;
  readonly #copies: RemovedCopies;
  readonly #world: { readonly clock: Clock; readonly log: Log };
  #store: Promise<ObjectStore | undefined> | undefined;
  #silent: StillpointError | undefined;

  constructor(data: Remover, copies: RemovedCopies, world: { readonly clock: Clock; readonly log: Log }) {
    this.#data = data;
    this.#copies = copies;
    this.#world = world;
  }

  async remove(stored: StoredRecord): Promise<readonly string[]> {
    const left = await this.#data.remove(stored);
    // Of a failed one whose record stays, what is left over is removed by this too.
    const goes = stored.record.phase === 'deleting' && mayHaveCopy(stored.record);
    return left.length > 0 || !goes ? left : await this.#removeCopy(stored.record);
  }

  async removeLeftovers(stored: StoredRecord): Promise<readonly string[]> {
    return await this.#data.removeLeftovers(stored);
  }

  async #removeCopy(of: CopyOf): Promise<readonly string[]> {
    const key = copyKey(of);
    let name = 'the store of recordCopies';
    using limit = timeLimit(
      this.#world.clock,
      LIMIT_MS,
      () => new StillpointError('store-unreachable', `${name} took too long to remove ${key}`),
    );
    try {
      if (this.#silent !== undefined) throw this.#silent;
      this.#store ??= this.#ownStore(limit.signal);
      const store = await this.#store;
      if (store === undefined) return [];
      name = store.name;
      // Who may not delete anything is asked nothing where there is nothing to delete.
      if (await isThere(store, key, limit)) await store.delete([key], limit);
      return [];
    } catch (thrown) {
      const error = asStillpointError(thrown);
      if (error.code === 'store-unreachable') this.#silent = error;
      this.#world.log.warn({ key, code: error.code }, `the copy of a record could not be removed: ${error.message}`);
      return [`${key} in ${name}`];
    }
  }

  /** Undefined where nobody keeps copies yet, or somebody else does: none of them is this registry's. */
  async #ownStore(signal: AbortSignal): Promise<ObjectStore | undefined> {
    const store = await this.#copies.open();
    const owned = await readOwner(store, COPIES_OWNER, signal);
    if (owned === undefined) return undefined;
    if (owned.uid === (await this.#copies.owner()).uid) return store;
    this.#world.log.warn({ store: store.name }, 'the copies of records there are of another registry: none is removed');
    return undefined;
  }
}

async function isThere(store: ObjectStore, key: string, options: CallOptions): Promise<boolean> {
  for await (const page of store.list(key, options)) if (page.some((object) => object.key === key)) return true;
  return ((await store.hidden?.([key], options)) ?? []).length > 0;
}
