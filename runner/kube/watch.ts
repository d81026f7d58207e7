/**
 * Sees objects change as they change: list, watch from there, and list again whenever the watch has broken. Nothing is
 * asked for twice while the connection holds.
 */
import { StillpointError } from '../errors';
import type { Clock } from '../ports';
import type { KubeClient, Selection, WatchLine } from './client';
import { isExpired, KubeError } from './errors';
import type { KubeObject, Resource } from './resource';
import { wait } from './wait';

/** What a watch tells. */
export interface Watcher<T> {
  /** The object is there, or is another one than before. May come again without a change. */
  seen(object: T): void;
  /** The object is gone: its last known state. */
  gone?(object: T): void;
  /** A list has been told to its end: what was not seen is not there. */
  listed?(): void;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Watches until the signal aborts, then resolves. A connection that ends, or a server that does not answer for a
 * while, is overcome; rejects when the API refuses (a missing right, a kind that it does not serve) or the watcher
 * throws.
 */
export async function watchObjects<T extends KubeObject>(
  client: KubeClient,
  kind: Resource<T>,
  selection: Selection,
  watcher: Watcher<T>,
  options: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<void> {
  const { signal, clock } = options;
  const known = new Known(watcher);
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      const list = await client.list(kind, selection, signal);
      known.replace(list.items);
      watcher.listed?.();
      await follow(client, kind, selection, { known, from: list.resourceVersion, signal });
      pause = FIRST_PAUSE_MS;
    } catch (thrown) {
      if (signal.aborted) return;
      const overcome = isExpired(thrown) || (thrown instanceof StillpointError && thrown.retryable);
      if (!overcome) throw thrown;
      await wait(clock, pause, signal).catch(() => undefined);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }
}

/** Watches from a version on, over as many connections as it takes, until one breaks. */
async function follow<T extends KubeObject>(
  client: KubeClient,
  kind: Resource<T>,
  selection: Selection,
  at: { readonly known: Known<T>; readonly from: string; readonly signal: AbortSignal },
): Promise<void> {
  let version = at.from;
  while (!at.signal.aborted) {
    const before = version;
    for await (const line of await client.openWatch(kind, selection, version, at.signal)) {
      version = line.object.metadata.resourceVersion ?? version;
      at.known.apply(line);
    }
    // A server that closes at once, again and again, is not asked again and again.
    if (version === before) throw new KubeError('kubernetes-unreachable', 'the watch was closed', 503, 'Closed');
  }
}

/** What is there, so that a new list tells what has gone meanwhile. */
class Known<T extends KubeObject> {
  readonly #watcher: Watcher<T>;
  readonly #objects = new Map<string, T>();

  constructor(watcher: Watcher<T>) {
    this.#watcher = watcher;
  }

  replace(items: readonly T[]): void {
    const now = new Set(items.map(keyOf));
    for (const [key, object] of this.#objects) if (!now.has(key)) this.#gone(key, object);
    for (const item of items) this.#seen(item);
  }

  apply(line: WatchLine<T>): void {
    if (line.type === 'ADDED' || line.type === 'MODIFIED') this.#seen(line.object);
    else if (line.type === 'DELETED') this.#gone(keyOf(line.object), line.object);
  }

  #seen(object: T): void {
    this.#objects.set(keyOf(object), object);
    this.#watcher.seen(object);
  }

  #gone(key: string, object: T): void {
    this.#objects.delete(key);
    this.#watcher.gone?.(object);
  }
}

/** An object that was deleted and made anew is another one. */
function keyOf(object: KubeObject): string {
  const { namespace = '', name, uid = '' } = object.metadata;
  return `${namespace}/${name}/${uid}`;
}
