/** Small texts in a store: records, and whose a folder is. */
import { parse, stringify } from 'yaml';
import { asStillpointError } from '../errors';
import type { ObjectStore } from './object-store';

/** More is no text that says whose something is. */
const LONGEST_OWNER = 64 * 1024;

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

/** The text of an object, its first `longest` bytes at most; undefined where there is none. */
export async function textOf(
  store: ObjectStore,
  key: string,
  longest: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await store.get(key, { signal, range: { start: 0, end: longest } })) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  } catch (thrown) {
    if (asStillpointError(thrown).code === 'object-not-found') return undefined;
    throw thrown;
  }
}

/** What a store says of who owns something, as it stands there: anybody may have written it. */
export type Owned = Readonly<Record<string, unknown>>;

/** Who has said to own it; undefined where nobody has. What cannot be read is nobody known. */
export async function readOwner(store: ObjectStore, key: string, signal: AbortSignal): Promise<Owned | undefined> {
  const text = await textOf(store, key, LONGEST_OWNER, signal);
  if (text === undefined) return undefined;
  try {
    const found: unknown = parse(text, { maxAliasCount: 0 });
    return typeof found === 'object' && found !== null ? (found as Owned) : {};
  } catch {
    return {};
  }
}

/** Says whose it is, and answers with who owns it: the store lets the first have it. */
export async function claimOwner(store: ObjectStore, key: string, owner: Owned, signal: AbortSignal): Promise<Owned> {
  try {
    await putYaml(store, key, stringify(owner), { signal });
    return owner;
  } catch (thrown) {
    if (asStillpointError(thrown).code !== 'object-exists') throw thrown;
    return (await readOwner(store, key, signal)) ?? {};
  }
}
