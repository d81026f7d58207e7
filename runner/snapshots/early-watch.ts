/**
 * One watch for all cuts of a backup. It is opened before anything is frozen, so that while a database is held nothing but the
 * cuts themselves is asked of the API; who listens late is told first what is there.
 */
import type { KubeClient, Selection } from '../kube/client';
import type { KubeObject, Resource } from '../kube/resource';
import { watchObjects } from '../kube/watch';
import type { Clock } from '../ports';

/** Who wants to know. */
export interface Listener<T> {
  seen(object: T): void;
  gone(object: T): void;
  /** The watch has broken for good. */
  failed(error: unknown): void;
}

export class EarlyWatch<T extends KubeObject> implements Disposable {
  /** Resolves when what is there has been told; changes are seen from then on. */
  readonly listed: Promise<void>;
  readonly #objects = new Map<string, T>();
  readonly #listeners = new Set<Listener<T>>();
  readonly #ending = new AbortController();
  #failure: { readonly error: unknown } | undefined;

  constructor(
    { client, clock }: { readonly client: KubeClient; readonly clock: Clock },
    kind: Resource<T>,
    readonly selection: Selection,
  ) {
    const listed = Promise.withResolvers<void>();
    this.listed = listed.promise;
    this.listed.catch(() => undefined);
    watchObjects(
      client,
      kind,
      selection,
      {
        seen: (object) => this.#seen(object),
        gone: (object) => this.#gone(object),
        listed: () => listed.resolve(),
      },
      { signal: this.#ending.signal, clock },
    ).then(
      () => listed.reject(new Error('the watch was ended')),
      (error: unknown) => {
        listed.reject(error);
        this.#failure = { error };
        for (const listener of this.#listeners) listener.failed(error);
      },
    );
  }

  /** Tells what is there, and every change from now on, until what it answers is called. */
  listen(listener: Listener<T>): () => void {
    this.#listeners.add(listener);
    for (const object of this.#objects.values()) listener.seen(object);
    if (this.#failure !== undefined) listener.failed(this.#failure.error);
    return () => void this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    this.#ending.abort();
  }

  #seen(object: T): void {
    this.#objects.set(object.metadata.uid ?? '', object);
    for (const listener of this.#listeners) listener.seen(object);
  }

  #gone(object: T): void {
    this.#objects.delete(object.metadata.uid ?? '');
    for (const listener of this.#listeners) listener.gone(object);
  }
}
