import { type BackupRecord, leaseName } from '../../src/contract';
import type { Clock, Log, Runners } from '../ports';
import type { KubeClient } from './client';
import { isForbidden } from './errors';
import { RUNNER_CONTAINER } from './jobs';
import { LEASES, PODS, type Pod } from './objects';
import { endOf } from './restore/pod-state';

export interface KubernetesRunnersOptions {
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A Lease as it was first seen, and when. */
interface Seen {
  readonly version: string | undefined;
  readonly sinceMs: number;
}

/** The pods of Jobs in one namespace, and people's own processes. */
export class KubernetesRunners implements Runners {
  readonly #client: KubeClient;
  readonly #options: KubernetesRunnersOptions;
  readonly #leases = new Map<string, Seen>();

  constructor(client: KubeClient, options: KubernetesRunnersOptions) {
    this.#client = client;
    this.#options = options;
  }

  async isGone(pod: string, signal?: AbortSignal): Promise<boolean> {
    return hasEnded(await this.look(pod, signal));
  }

  async look(pod: string, signal?: AbortSignal): Promise<Pod | undefined> {
    return await this.#client.get(PODS, { namespace: this.#options.namespace, name: pod }, signal);
  }

  async haveEnded({ database, owner }: Pick<BackupRecord, 'database' | 'owner'>): Promise<boolean> {
    const { jobUid, jobName } = owner;
    // A person's process has no pod; what it has is the Lease of its database, which it renews.
    if (jobName === undefined) return await this.#hasGivenUp(leaseName(database), jobUid);
    const labels = { 'batch.kubernetes.io/controller-uid': jobUid };
    const { items } = await this.#client.list(PODS, { namespace: this.#options.namespace, labels });
    return items.every(hasEnded);
  }

  /** Whether a holder has given a Lease back, or has not renewed it for its duration, as seen on our own clock. */
  async #hasGivenUp(name: string, holder: string): Promise<boolean> {
    const { namespace, clock, log } = this.#options;
    try {
      const { metadata, spec } = (await this.#client.get(LEASES, { name, namespace })) ?? {};
      if (metadata === undefined || spec?.holderIdentity !== holder) return true;
      const version = metadata.resourceVersion;
      const seen = this.#leases.get(name);
      if (seen?.version !== version) this.#leases.set(name, { version, sinceMs: clock.monotonic() });
      const sinceMs = this.#leases.get(name)?.sinceMs ?? 0;
      return clock.monotonic() - sinceMs >= (spec.leaseDurationSeconds ?? 0) * 1000;
    } catch (thrown) {
      if (!isForbidden(thrown)) throw thrown;
      // An account of a version before this one may not look.
      log.warn(
        { lease: name },
        `whether ${holder} is still at work cannot be seen: lease ${namespace}/${name} may not be read`,
      );
      return true;
    }
  }
}

/** Whether the kubelet has seen the process of a runner end: what is only given up, with its pod or its node, may go on. */
export function isSeenEnded(pod: Pod | undefined): boolean {
  const { terminated } = pod?.status?.containerStatuses?.find(({ name }) => name === RUNNER_CONTAINER)?.state ?? {};
  // So the kubelet calls what it does not find any more.
  return terminated !== undefined && terminated.reason !== 'ContainerStatusUnknown';
}

/** Whether the runner of a pod works no more. One that is told to stop still does: it undoes what it has begun by itself. */
export function hasEnded(pod: Pod | undefined): boolean {
  if (pod === undefined) return true;
  const { phase } = pod.status ?? {};
  return phase === 'Succeeded' || phase === 'Failed' || endOf(pod, RUNNER_CONTAINER) !== undefined;
}
