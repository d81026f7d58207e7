import type { Clock } from '../ports';
import type { KubeClient, Selection } from './client';
import { isExpired } from './errors';
import type { KubeObject, Resource } from './resource';
import { wait } from './wait';
import { watchObjects } from './watch';

/** Between two looks, when a watch has broken. */
const PAUSE_MS = 50;

/** What waiting needs: the API, and when to give up. */
export interface Waiting {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Watches until one of the objects that match has what is looked for: `look` answers with it, or throws when it can no
 * longer come. Throws the signal's reason when that aborts first.
 */
export async function until<T extends KubeObject, R>(
  waiting: Waiting,
  kind: Resource<T>,
  selection: Selection,
  look: (object: T) => R | undefined,
): Promise<R> {
  let found: { readonly answer: () => R } | undefined;
  const done = new AbortController();
  const seen = (object: T): void => {
    if (found !== undefined) return;
    const result = attempt(() => look(object));
    if (result === undefined) return;
    found = { answer: result };
    done.abort();
  };
  const signal = AbortSignal.any([waiting.signal, done.signal]);
  await watchObjects(waiting.client, kind, selection, { seen }, { signal, clock: waiting.clock });
  if (found !== undefined) return found.answer();
  throw waiting.signal.reason;
}

/** What was found, or thrown: kept from the watch, which would take a retryable error for a broken connection. */
function attempt<R>(look: () => R | undefined): (() => R) | undefined {
  try {
    const result = look();
    return result === undefined ? undefined : () => result;
  } catch (thrown) {
    return () => {
      throw thrown;
    };
  }
}

/** Waits until an object (that very one, not another of its name) is gone. */
export async function untilGone<T extends KubeObject>(waiting: Waiting, kind: Resource<T>, object: T): Promise<void> {
  const { client, clock, signal } = waiting;
  const { name, namespace, uid } = object.metadata;
  const selection = { namespace, fields: { 'metadata.name': name } };
  for (;;) {
    const current = await client.get(kind, { name, namespace }, signal);
    if (current === undefined || current.metadata.uid !== uid) return;
    // From the version that was just read on, so that the end cannot slip through between reading and watching.
    await untilDeleted(client, kind, selection, { from: current.metadata.resourceVersion ?? '', signal });
    await wait(clock, PAUSE_MS, signal);
  }
}

/** Returns when a watch has told of a deletion, or has ended or expired: the caller asks again. */
async function untilDeleted<T extends KubeObject>(
  client: KubeClient,
  kind: Resource<T>,
  selection: Selection,
  at: { readonly from: string; readonly signal: AbortSignal },
): Promise<void> {
  try {
    for await (const line of await client.openWatch(kind, selection, at.from, at.signal)) {
      if (line.type === 'DELETED') return;
    }
  } catch (thrown) {
    at.signal.throwIfAborted();
    if (!isExpired(thrown)) throw thrown;
  }
}
