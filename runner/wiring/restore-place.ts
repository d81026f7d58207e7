/** Where the Job of a restore from a store finds records, and says what happens. */
import type { DumpRestoreConfig } from '../../src/contract';
import type { GlobalOptions } from '../cli/options';
import { LogEvents } from '../local/events';
import type { Events, Registry, Uses } from '../ports';
import type { World } from './world';

/** What its instruction says of that. */
type Placed = Pick<DumpRestoreConfig, 'metadata'> & { readonly spec: Pick<DumpRestoreConfig['spec'], 'registry'> };

interface RestorePlace {
  readonly registry: Registry;
  readonly uses: Uses;
  readonly events: Events;
}

/** With a cluster, or with records in a folder, as the instruction says. */
export async function restorePlace(
  { spec, metadata }: Placed,
  options: GlobalOptions,
  world: World,
): Promise<RestorePlace> {
  const { clock, log, env } = world;
  const { directory, namespace: registryNamespace = options.registry } = spec.registry;
  if (directory !== undefined) {
    const { localRegistry, localUses } = await import('./local');
    const [registry, uses] = [localRegistry(directory, world), localUses(directory, world)];
    return { registry, uses, events: new LogEvents(log) };
  }
  const { connect, kubernetesRegistry, kubernetesUses, runOfJob } = await import('./kubernetes');
  const { KubernetesEvents } = await import('../kube/events');
  const client = await connect(options, world);
  const namespace = metadata.namespace ?? env.POD_NAMESPACE ?? client.namespace ?? 'default';
  const run = await runOfJob(client, { namespace }, world);
  return {
    registry: kubernetesRegistry(client, registryNamespace, world),
    uses: kubernetesUses(client, registryNamespace, world),
    events: run === undefined ? new LogEvents(log) : new KubernetesEvents(client, { namespace, run, clock }),
  };
}
