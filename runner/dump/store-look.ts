/** Doctor's look at a store, whatever becomes of the checks beside it: whether it answers, and what it makes of deletions. */
import { STORE_PATIENCE_SECONDS, type StoreConfig } from '../../src/contract';
import type { Finding } from '../ports';
import { type ObjectStore, probeKey } from '../storage/object-store';

/** A person waits: a store that does not answer for so long is said to be out of reach. */
const PATIENCE_SECONDS = 30;

/** The same store, for a look at it. */
export function impatient(config: StoreConfig): StoreConfig {
  const patienceSeconds = Math.min(PATIENCE_SECONDS, config.patienceSeconds ?? STORE_PATIENCE_SECONDS);
  return { ...config, patienceSeconds };
}

/**
 * Asks the store for its objects, once: whatever is looked at afterwards has the store, or the same error without waiting anew.
 */
export async function reach(
  openStore: () => Promise<ObjectStore>,
  signal: AbortSignal,
): Promise<() => Promise<ObjectStore>> {
  try {
    const store = await openStore();
    for await (const _ of store.list('', { signal })) break;
    return async () => store;
  } catch (thrown) {
    signal.throwIfAborted();
    return async () => {
      throw thrown;
    };
  }
}

/** Whether those who delete in a store leave nothing there. Throws where the store refuses it to them. */
export async function deletionFindings(store: ObjectStore, signal: AbortSignal): Promise<readonly Finding[]> {
  const subject = store.name;
  const versions = await store.versions?.({ signal });
  if (versions?.stay !== undefined) {
    const { why, hint } = versions.stay;
    const message = `${store.name} keeps versions, and ${why}: what is deleted there stays, and costs`;
    return [{ severity: 'warning', code: 'versions-stay', subject, message, hint }];
  }
  if (versions?.kept === true)
    return [{ severity: 'ok', code: 'ok', subject, message: `${ANSWERS}, with all versions` }];
  if (versions !== undefined && versions.kept === undefined) {
    const message = 'the pruner reaches it; whether it keeps versions, its credentials may not ask';
    return [{ severity: 'ok', code: 'ok', subject, message }];
  }
  // Where versions are kept, this would leave a mark; here there is nothing that it could remove.
  // In a folder of its own, whose versions alone are looked for.
  await store.delete([`${probeKey()}/none`], { signal });
  return [{ severity: 'ok', code: 'ok', subject, message: ANSWERS }];
}

const ANSWERS = 'the pruner reaches it, and may delete there';
