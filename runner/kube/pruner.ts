/** The pruner that works when it is asked to: a Deployment in the registry, of one pod or of none. */
import { PRUNER_NAME } from '../../src/contract';
import type { Pruner } from '../ports';
import type { KubeClient } from './client';
import { DEPLOYMENTS } from './objects';

export class KubernetesPruner implements Pruner {
  constructor(
    private readonly client: KubeClient,
    private readonly namespace: string,
  ) {}

  async ask(): Promise<void> {
    await this.client.scale(DEPLOYMENTS, this.#ref, 1);
  }

  async rest(): Promise<void> {
    await this.client.scale(DEPLOYMENTS, this.#ref, 0);
  }

  get #ref(): { readonly name: string; readonly namespace: string } {
    return { name: PRUNER_NAME, namespace: this.namespace };
  }
}
