/** Waits, but not for ever, until one object is as wanted. */
import type { Clock } from '../ports';
import type { KubeClient } from './client';
import type { KubeObject, Resource } from './resource';
import { watchObjects } from './watch';

/** One very object: not another one of its name. */
export interface ExactObject {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid: string;
}

/** How long to wait at most. */
export interface Patience {
  readonly clock: Clock;
  readonly ms: number;
}

/** Waits until an object is gone: finalizers may keep it for long. Answers whether it is. */
export function untilGone<T extends KubeObject>(
  client: KubeClient,
  kind: Resource<T>,
  object: ExactObject,
  patience: Patience,
): Promise<boolean> {
  return untilObject(client, kind, object, (now) => now === undefined, patience);
}

/** Waits until an object (undefined: it is not there any more) is as wanted. Answers whether it is. */
export async function untilObject<T extends KubeObject>(
  client: KubeClient,
  kind: Resource<T>,
  { name, namespace, uid }: ExactObject,
  fits: (object: T | undefined) => boolean,
  { clock, ms }: Patience,
): Promise<boolean> {
  const watching = new AbortController();
  const timer = clock.after(ms, () => watching.abort());
  let there = false;
  let fitted = false;
  const look = (object: T | undefined): void => {
    fitted ||= fits(object);
    if (fitted) watching.abort();
  };
  const watcher = {
    seen: (object: T) => {
      if (object.metadata.uid !== uid) return;
      there = true;
      look(object);
    },
    gone: (object: T) => {
      if (object.metadata.uid === uid) look(undefined);
    },
    listed: () => {
      if (!there) look(undefined);
      there = false;
    },
  };
  try {
    const selection = { namespace, fields: { 'metadata.name': name } };
    await watchObjects(client, kind, selection, watcher, { signal: watching.signal, clock });
    return fitted;
  } finally {
    timer.cancel();
    watching.abort();
  }
}
