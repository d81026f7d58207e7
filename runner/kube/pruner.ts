/** The pruner that works when it is asked to: a Deployment in the registry, of one pod or of none. */
import { parse } from 'yaml';
import { PRUNER_NAME, STORES_FILE, type StoresConfig } from '../../src/contract';
import type { Pruner } from '../ports';
import type { KubeClient } from './client';
import { isForbidden } from './errors';
import { CONFIG_MAPS, DEPLOYMENTS } from './objects';

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

/** Whether the registry's pruner keeps copies of records in a store. Who may not read what it is told, is not told either. */
export async function keepsRecordCopies(client: Pick<KubeClient, 'get'>, namespace: string): Promise<boolean> {
  try {
    const told = await client.get(CONFIG_MAPS, { namespace, name: PRUNER_NAME });
    // A newer version may say more there.
    const document = parse(told?.data?.[STORES_FILE] ?? '') as { spec?: Partial<StoresConfig['spec']> } | null;
    return document?.spec?.recordCopies !== undefined;
  } catch (thrown) {
    if (isForbidden(thrown)) return false;
    throw thrown;
  }
}
