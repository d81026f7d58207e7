/**
 * A small client of the Kubernetes API: the verbs on any kind of object, with errors of our own and every request
 * counted. Objects are what is on the wire: nothing is dropped, times keep all their digits.
 */
import type { Clock, CommandEnd } from '../ports';
import { type KubeAccess, type KubeAccessRequest, kubeAccess } from './access';
import { KubeCalls, type Verb, type WatchLine } from './calls';
import { isConflict, KubeError } from './errors';
import { exec } from './exec';
import { PODS } from './objects';
import { basePath, pathOf, type Selection, selectionPath } from './paths';
import type { DeleteOptions, ListResult, ObjectRef } from './refs';
import { apiVersionOf, type KubeObject, type Resource } from './resource';

export type { WatchLine } from './calls';
export type { Selection } from './paths';
export type { DeleteOptions, ListResult, ObjectRef } from './refs';

const PAGE_SIZE = 500;

/** Kubernetes API concepts, "Metadata-only fetches". */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** Connects to a cluster. Nothing is sent yet. */
export async function connectKube(request: KubeAccessRequest, clock: Clock): Promise<KubeClient> {
  return new KubeClient(await kubeAccess(request), clock);
}

export class KubeClient {
  readonly #access: KubeAccess;
  readonly #calls: KubeCalls;

  constructor(access: KubeAccess, clock: Clock) {
    this.#access = access;
    this.#calls = new KubeCalls(access, clock);
  }

  /** The API server's address. */
  get server(): URL {
    return this.#access.server;
  }

  /** The namespace of the account's pod or of the kubeconfig's context. */
  get namespace(): string | undefined {
    return this.#access.namespace;
  }

  /** How many requests were sent so far, by verb. */
  get requests(): Readonly<Partial<Record<Verb, number>>> {
    return Object.fromEntries(this.#calls.sent);
  }

  /** How many requests were sent so far. */
  get requestCount(): number {
    return [...this.#calls.sent.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Reads one object; undefined when it (or its namespace, or its kind) is not there. */
  async get<T extends KubeObject>(kind: Resource<T>, ref: ObjectRef, signal?: AbortSignal): Promise<T | undefined> {
    try {
      return await this.#call<T>('get', kind, ref, { method: 'GET', path: pathOf(kind, ref), signal });
    } catch (thrown) {
      if (thrown instanceof KubeError && thrown.status === 404) return undefined;
      throw thrown;
    }
  }

  /** Reads all objects that match, page by page. */
  async list<T extends KubeObject>(
    kind: Resource<T>,
    selection: Selection = {},
    signal?: AbortSignal,
  ): Promise<ListResult<T>> {
    const items: T[] = [];
    let resourceVersion = '';
    for await (const page of this.pages(kind, selection, { signal })) {
      items.push(...page.items);
      resourceVersion = page.resourceVersion;
    }
    return { items, resourceVersion };
  }

  /**
   * All objects that match, a page at a time, in the order of their namespaces and names; smaller pages are for who reads
   * much out of each object.
   */
  pages<T extends KubeObject>(
    kind: Resource<T>,
    selection: Selection = {},
    { pageSize = PAGE_SIZE, signal }: { readonly pageSize?: number; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncIterable<ListResult<T>> {
    return this.#pages<T>(kind, selection, { signal, pageSize });
  }

  /** As {@link pages}, with nothing of each object but its metadata. */
  metadataPages(
    kind: Resource<KubeObject>,
    selection: Selection = {},
    signal?: AbortSignal,
  ): AsyncIterable<ListResult<KubeObject>> {
    return this.#pages<KubeObject>(kind, selection, { signal, pageSize: PAGE_SIZE, accept: METADATA_ONLY });
  }

  async *#pages<T extends KubeObject>(
    kind: Resource<T>,
    selection: Selection,
    { pageSize, ...how }: Pick<Call, 'signal' | 'accept'> & { readonly pageSize: number },
  ): AsyncGenerator<ListResult<T>> {
    let next: string | undefined;
    do {
      const more = next === undefined ? {} : { continue: next };
      const path = selectionPath(kind, selection, { limit: `${pageSize}`, ...more });
      const page: ListPage<T> = await this.#call('list', kind, selection, { method: 'GET', path, ...how });
      next = page.metadata.continue || undefined;
      // An empty list of metadata has null for its items.
      yield { items: page.items ?? [], resourceVersion: page.metadata.resourceVersion };
    } while (next !== undefined);
  }

  /** Makes an object. Throws a KubeError with the reason AlreadyExists when there is one of this name. */
  async create<T extends KubeObject>(
    kind: Resource<T>,
    object: Omit<T, 'apiVersion' | 'kind'>,
    signal?: AbortSignal,
  ): Promise<T> {
    const body = { apiVersion: apiVersionOf(kind), kind: kind.kind, ...object };
    const { name, namespace } = object.metadata;
    const path = pathOf(kind, { namespace });
    return this.#call('create', kind, { name, namespace }, { method: 'POST', path, body, signal });
  }

  /** Throws what {@link create} would throw, admission and quotas included; nothing is kept. */
  async rehearse<T extends KubeObject>(
    kind: Resource<T>,
    object: Omit<T, 'apiVersion' | 'kind'>,
    signal?: AbortSignal,
  ): Promise<void> {
    const body = { apiVersion: apiVersionOf(kind), kind: kind.kind, ...object };
    const { name, namespace } = object.metadata;
    const path = `${pathOf(kind, { namespace })}?dryRun=All`;
    await this.#call('create', kind, { name, namespace }, { method: 'POST', path, body, signal });
  }

  /** The last lines that a container wrote; empty when there is no such log any more. */
  async log(pod: ObjectRef, container: string, lines: number, signal?: AbortSignal): Promise<string> {
    const named = { verb: 'get', resource: 'pods/log', ...pod } as const;
    const path = `${pathOf(PODS, pod)}/log?${new URLSearchParams({ container, tailLines: String(lines) })}`;
    try {
      return await this.#calls.text(named, { method: 'GET', path, signal });
    } catch (thrown) {
      if (thrown instanceof KubeError && thrown.status === 404) return '';
      throw thrown;
    }
  }

  /** Runs a command in a container to its end. */
  async exec(
    pod: ObjectRef,
    { container, command }: { readonly container: string; readonly command: readonly string[] },
    signal: AbortSignal,
  ): Promise<CommandEnd> {
    const words = command.map((word): [string, string] => ['command', word]);
    const query = new URLSearchParams([['container', container], ['stdout', 'true'], ['stderr', 'true'], ...words]);
    const named = { verb: 'get', resource: 'pods/exec', ...pod } as const;
    return await exec(this.#access, named, `${pathOf(PODS, pod)}/exec?${query}`, signal);
  }

  /** Writes a whole object. With a resourceVersion in it, it is a compare-and-swap. */
  async replace<T extends KubeObject>(kind: Resource<T>, object: T, signal?: AbortSignal): Promise<T> {
    const body = { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind };
    return this.#call('update', kind, object.metadata, {
      method: 'PUT',
      path: pathOf(kind, object.metadata),
      body,
      signal,
    });
  }

  /** Changes some fields of an object: a JSON merge patch, in which null removes a field. */
  async patch<T extends KubeObject>(
    kind: Resource<T>,
    ref: ObjectRef,
    change: object,
    signal?: AbortSignal,
  ): Promise<T> {
    return this.#call('patch', kind, ref, {
      method: 'PATCH',
      path: pathOf(kind, ref),
      body: change,
      contentType: 'application/merge-patch+json',
      signal,
    });
  }

  /** Says how many pods a workload shall have. */
  async scale(kind: Resource<KubeObject>, ref: ObjectRef, replicas: number, signal?: AbortSignal): Promise<void> {
    await this.#call('patch', { plural: `${kind.plural}/scale` }, ref, {
      method: 'PATCH',
      path: `${pathOf(kind, ref)}/scale`,
      body: { spec: { replicas } },
      contentType: 'application/merge-patch+json',
      signal,
    });
  }

  /** Deletes an object. Answers whether there was one; finalizers may keep it for a while. */
  async delete<T extends KubeObject>(
    kind: Resource<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
    signal?: AbortSignal,
  ): Promise<boolean> {
    const { uid, resourceVersion } = options;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: options.propagation ?? 'Background',
      ...(uid === undefined && resourceVersion === undefined ? {} : { preconditions: { uid, resourceVersion } }),
    };
    try {
      await this.#call('delete', kind, ref, { method: 'DELETE', path: pathOf(kind, ref), body, signal });
      return true;
    } catch (thrown) {
      const gone = thrown instanceof KubeError && thrown.status === 404;
      // Another object has the name by now.
      const replaced = isConflict(thrown) && uid !== undefined && resourceVersion === undefined;
      if (gone || replaced) return false;
      throw thrown;
    }
  }

  /** Asks a question that is put by creating an object which is not kept, as a SelfSubjectAccessReview. */
  async review<T extends object>(
    group: string,
    plural: string,
    kind: string,
    spec: object,
    signal?: AbortSignal,
  ): Promise<T> {
    const body = { apiVersion: `${group}/v1`, kind, spec };
    const path = `/apis/${group}/v1/${plural}`;
    return this.#call('create', { plural }, {}, { method: 'POST', path, body, signal });
  }

  /** Whether the API server serves a kind. */
  async serves(kind: Resource<KubeObject>, signal?: AbortSignal): Promise<boolean> {
    try {
      const found = await this.#call<{ readonly resources?: readonly { readonly name: string }[] }>(
        'get',
        { plural: `the API ${apiVersionOf(kind)}` },
        {},
        { method: 'GET', path: basePath(kind), signal },
      );
      return (found.resources ?? []).some((each) => each.name === kind.plural);
    } catch (thrown) {
      if (thrown instanceof KubeError && thrown.status === 404) return false;
      throw thrown;
    }
  }

  /**
   * Opens one watch connection; it ends when the server closes it. {@link import('./watch').watchObjects} is what most
   * callers want.
   */
  async openWatch<T extends KubeObject>(
    kind: Resource<T>,
    selection: Selection,
    resourceVersion: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<WatchLine<T>>> {
    const flags = { watch: 'true', allowWatchBookmarks: 'true', resourceVersion };
    const named = { verb: 'watch', resource: kind.plural, namespace: selection.namespace } as const;
    return this.#calls.lines(named, { method: 'GET', path: selectionPath(kind, selection, flags), signal });
  }

  #call<T>(verb: Verb, kind: { readonly plural: string }, ref: Partial<ObjectRef>, call: Call): Promise<T> {
    return this.#calls.json({ verb, resource: kind.plural, namespace: ref.namespace, name: ref.name }, call);
  }
}

type Call = Parameters<KubeCalls['json']>[1];

interface ListPage<T> {
  readonly items: readonly T[] | null;
  readonly metadata: { readonly continue?: string; readonly resourceVersion: string };
}
