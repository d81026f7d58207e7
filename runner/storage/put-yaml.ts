/** Small texts in a store: records, and whose a folder is. */
import type { ObjectStore } from './object-store';

/** Puts YAML under a key. Throws as the store's `put` does: object-exists where something is there that may not be replaced. */
export async function putYaml(
  store: ObjectStore,
  key: string,
  text: string,
  options: { readonly signal: AbortSignal; readonly replace?: boolean },
): Promise<void> {
  await store.put(key, once(text), { ...options, contentType: 'application/yaml' });
}

async function* once(text: string): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(text);
}
