/** A policy's own store, looked at from where its Jobs stand: whether it answers and takes something, and how its lock goes with the retention. */
import type { StoreConfig } from '../../src/contract';
import { lockFindings } from '../dump/lock-findings';
import type { Finding, Policies } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { asFinding } from './doctor';
import { ownOf } from './keeping';

export interface OwnStoreContext {
  readonly config: { readonly metadata: { readonly name: string }; readonly spec: { readonly storage: StoreConfig } };
  readonly namespace: string;
  readonly policies?: Policies | undefined;
  readonly openStore: () => Promise<ObjectStore>;
  readonly signal: AbortSignal;
}

/** Where the policies cannot be read, the look at the retention has said so. */
export async function ownStoreFindings(context: OwnStoreContext): Promise<readonly Finding[]> {
  const { config, namespace, policies, openStore, signal } = context;
  try {
    const store = await openStore();
    const place = await store.placeLock?.({ signal });
    const known = (await policies?.list().catch(() => undefined)) ?? [];
    const own = ownOf(known, { name: config.metadata.name, namespace });
    const locks = lockFindings(config.spec.storage, own?.spec.retention, place);
    // Where nothing can be locked that is to be, the store takes nothing, and that says why.
    const refused = locks.some(({ severity }) => severity === 'error') ? [] : await putFindings(store, signal);
    return [...locks, ...refused];
  } catch (thrown) {
    signal.throwIfAborted();
    return [asFinding('storage', thrown)];
  }
}

async function putFindings(store: ObjectStore, signal: AbortSignal): Promise<readonly Finding[]> {
  try {
    await store.mayPut?.({ signal });
    return [];
  } catch (thrown) {
    signal.throwIfAborted();
    return [asFinding(store.name, thrown)];
  }
}

/** Those that the others do not say already: what ends one look may end another. */
export function without(findings: readonly Finding[], others: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ message }) => others.every((other) => other.message !== message));
}
