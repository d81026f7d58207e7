import type { Runners } from '../ports';
import type { KubeClient } from './client';
import { RUNNER_CONTAINER } from './jobs';
import { PODS, type Pod } from './objects';
import { endOf } from './restore/pod-state';

/** The pods of Jobs in one namespace. */
export class KubernetesRunners implements Runners {
  readonly #client: KubeClient;
  readonly #namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async isGone(pod: string, signal?: AbortSignal): Promise<boolean> {
    return hasEnded(await this.#client.get(PODS, { namespace: this.#namespace, name: pod }, signal));
  }

  async haveEnded(jobUid: string): Promise<boolean> {
    const labels = { 'batch.kubernetes.io/controller-uid': jobUid };
    const { items } = await this.#client.list(PODS, { namespace: this.#namespace, labels });
    return items.every(hasEnded);
  }
}

/** Whether the runner of a pod works no more. One that is told to stop still does: it undoes what it has begun by itself. */
export function hasEnded(pod: Pod | undefined): boolean {
  if (pod === undefined) return true;
  const { phase } = pod.status ?? {};
  return phase === 'Succeeded' || phase === 'Failed' || endOf(pod, RUNNER_CONTAINER) !== undefined;
}
