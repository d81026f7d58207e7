/** The pods that hooks run commands in. */
import type { HookPlace } from '../../src/contract';
import { StillpointError } from '../errors';
import type { CommandEnd, HookPod, PodCommands } from '../ports';
import type { KubeClient } from './client';
import { isReady } from './in-place/workload';
import { type Container, PODS, type Pod } from './objects';
import { mountsOf } from './workload';

export class KubernetesPodCommands implements PodCommands {
  readonly #client: KubeClient;
  readonly #namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async find(place: HookPlace, signal: AbortSignal): Promise<HookPod> {
    const pod = place.pod === undefined ? await this.#selected(place, signal) : await this.#named(place.pod, signal);
    const { name, uid = '' } = pod.metadata;
    const container = containerOf(pod, place.container);
    const status = pod.status?.containerStatuses?.find((each) => each.name === container.name);
    const { containerID = '' } = status ?? {};
    if (status?.state?.running === undefined) {
      throw unsuitable(`container ${container.name} of pod ${this.#namespace}/${name} does not run`, WAIT);
    }
    return { name, uid, container: container.name, containerId: containerID, mounts: mountsOf(pod, container) };
  }

  async run({ name, container }: HookPod, command: readonly string[], signal: AbortSignal): Promise<CommandEnd> {
    return await this.#client.exec({ name, namespace: this.#namespace }, { container, command }, signal);
  }

  async #named(name: string, signal: AbortSignal): Promise<Pod> {
    const found = await this.#client.get(PODS, { name, namespace: this.#namespace }, signal);
    if (found === undefined) throw unsuitable(`there is no pod ${this.#namespace}/${name}`, WAIT);
    return found;
  }

  /** One that serves: what it holds is asked of it, and of no other. */
  async #selected({ matchLabels = {} }: HookPlace, signal: AbortSignal): Promise<Pod> {
    const { items } = await this.#client.list(PODS, { namespace: this.#namespace, labels: matchLabels }, signal);
    const [only, ...others] = items.filter(isReady);
    if (only !== undefined && others.length === 0) return only;
    const labels = Object.entries(matchLabels)
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
    const names = [only, ...others].flatMap((pod) => pod?.metadata.name ?? []);
    const found = names.length === 0 ? 'no pod is ready' : `${names.length} pods are ready (${names.join(', ')})`;
    throw unsuitable(
      `in namespace ${this.#namespace} ${found} with the labels ${labels}, and a hook takes one`,
      names.length === 0 ? WAIT : 'name the pod, or reach all of them by a request to their Service',
    );
  }
}

const WAIT = 'see why with kubectl describe pod; a hook needs its pod to be up when the backup begins';

function containerOf(pod: Pod, name: string | undefined): Container {
  const [first] = pod.spec.containers;
  const found = name === undefined ? first : pod.spec.containers.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = pod.spec.containers.map((each) => each.name).join(', ');
  throw unsuitable(`pod ${pod.metadata.name} has no container ${name}`, `it has ${names}`);
}

function unsuitable(message: string, hint: string): StillpointError {
  return new StillpointError('hook-unsuitable', message, { hint });
}
