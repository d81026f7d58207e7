/** What runs on claims, by its replicas: looked at, stopped, started. */
import type { StoppedWorkload } from '../../src/contract';
import { StillpointError } from '../errors';
import type { Clock, Finding, HolderWatch, SeenWorkload, Workloads } from '../ports';
import type { KubeClient } from './client';
import { findContenders } from './in-place/contenders';
import { deletesWhenScaled, hasClaim, hasEnded, isOf, isReady, WORKLOAD_KINDS } from './in-place/workload';
import { PODS, type Pod, type Workload } from './objects';
import type { Resource } from './resource';
import { watchObjects } from './watch';
import { claimsOf } from './workload';

export class KubernetesWorkloads implements Workloads {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #clock: Clock;

  constructor(client: KubeClient, { namespace, clock }: { readonly namespace: string; readonly clock: Clock }) {
    this.#client = client;
    this.#namespace = namespace;
    this.#clock = clock;
  }

  async look(
    workload: StoppedWorkload,
    claims: readonly string[],
    signal: AbortSignal,
  ): Promise<SeenWorkload | undefined> {
    const [object, pods] = await Promise.all([
      this.#read(workload, signal),
      this.#client.list(PODS, { namespace: this.#namespace }, signal),
    ]);
    if (object === undefined) return undefined;
    return {
      uid: object.metadata.uid ?? '',
      generation: String(object.metadata.generation ?? ''),
      replicas: object.spec.replicas ?? 1,
      ready: pods.items.filter((pod) => isOf(object, pod) && isReady(pod)).length,
      holders: pods.items.filter((pod) => holds(pod, claims)).map(({ metadata }) => metadata.name),
    };
  }

  async check(workload: StoppedWorkload, claims: readonly string[], signal: AbortSignal): Promise<readonly Finding[]> {
    const { kind, name } = workload;
    const subject = `${kind} ${this.#namespace}/${name}`;
    const object = await this.#read(workload, signal);
    const unsuitable = (message: string, hint: string): Finding => ({
      severity: 'error',
      code: 'offline-unsuitable',
      subject,
      message,
      hint,
    });
    if (object === undefined) {
      return [
        unsuitable(
          `there is no ${subject}, and the policy has it stopped for its cuts`,
          'name what runs on the volumes',
        ),
      ];
    }
    const { items: pods } = await this.#client.list(PODS, { namespace: this.#namespace }, signal);
    const foreign = pods.filter((pod) => holds(pod, claims) && !isOf(object, pod));
    return [
      ...(deletesWhenScaled(object)
        ? [
            unsuitable(
              `${subject} deletes its claims when it is scaled down (persistentVolumeClaimRetentionPolicy)`,
              'set whenScaled: Retain',
            ),
          ]
        : []),
      ...claims
        .filter((claim) => !hasClaim(kind, object, claim))
        .map((claim) => unsuitable(`${subject} does not mount claim ${claim}`, 'name what runs on the volumes')),
      ...foreign.map(({ metadata }) =>
        unsuitable(
          `pod ${this.#namespace}/${metadata.name} holds a claim of the policy, and is not one of ${subject}`,
          'a claim is free only when nobody holds it: end it, or have it stopped by a member of its own',
        ),
      ),
      ...(await findContenders(this.#client, kind, object, signal)),
    ];
  }

  async scale({ kind, name }: StoppedWorkload, replicas: number, signal: AbortSignal): Promise<void> {
    await this.#client.scale(WORKLOAD_KINDS[kind], { name, namespace: this.#namespace }, replicas, signal);
  }

  watchHolders(claims: readonly string[]): HolderWatch {
    return new Holders(this.#client, this.#namespace, claims, this.#clock);
  }

  #read({ kind, name }: StoppedWorkload, signal: AbortSignal): Promise<Workload | undefined> {
    const resource = WORKLOAD_KINDS[kind] as Resource<Workload>;
    return this.#client.get<Workload>(resource, { name, namespace: this.#namespace }, signal);
  }
}

/** Sees every pod come and go: one that comes and goes between two questions too. */
class Holders implements HolderWatch {
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;
  readonly #now = new Map<string, string>();
  readonly #since = new Set<string>();
  #listed = false;
  #free = false;
  #changed = Promise.withResolvers<void>();

  constructor(client: KubeClient, namespace: string, claims: readonly string[], clock: Clock) {
    const watcher = {
      seen: (pod: Pod) => this.#see(pod, holds(pod, claims)),
      gone: (pod: Pod) => this.#see(pod, false),
      listed: () => {
        this.#listed = true;
        this.#change();
      },
    };
    this.#watching = watchObjects(client, PODS, { namespace }, watcher, { signal: this.#stop.signal, clock });
    this.#watching.catch((thrown: unknown) => this.#changed.reject(thrown));
    this.#changed.promise.catch(() => undefined);
  }

  get since(): readonly string[] {
    return [...this.#since];
  }

  async free(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#changed.reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      while (!this.#listed || this.#now.size > 0) {
        signal.throwIfAborted();
        await this.#changed.promise;
      }
      this.#free = true;
    } catch (thrown) {
      const names = [...this.#now.values()].join(', ');
      if (signal.aborted && thrown instanceof StillpointError && names !== '')
        thrown.explain(`${names} still hold the claims`);
      throw thrown;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching.catch(() => undefined);
  }

  #see({ metadata: { name, uid = '' } }: Pod, isHolder: boolean): void {
    if (isHolder) this.#now.set(uid, name);
    else this.#now.delete(uid);
    if (isHolder && this.#free) this.#since.add(`pod ${name}`);
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    this.#changed.promise.catch(() => undefined);
  }
}

function holds(pod: Pod, claims: readonly string[]): boolean {
  return !hasEnded(pod) && [...claimsOf(pod).values()].some((claim) => claims.includes(claim));
}
