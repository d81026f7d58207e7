/** `restore-dump`: what the Job of a restore from a dump runs. */
import type { DumpRestoreConfig } from '../../src/contract';
import type { ConfigOption } from '../cli/backup';
import { type RestoreDumpContext, restoreDump } from '../commands/restore-dump';
import { readIdentities, readRestoreConfig, readTarget } from '../config';
import { LogEvents } from '../local/events';
import { recordPath } from '../output/records';
import { storeFor } from './dump';
import { engineNamed, type World } from './world';

/** Restores the dump that the config names, into the server that it names. */
export async function restoreDumpHandler({ config: file, ...options }: ConfigOption, world: World): Promise<string> {
  const config = await readRestoreConfig(file);
  const { record, into } = await restoreDump({
    ...(await placeOf(config, options, world)),
    config,
    engineNamed,
    readTarget: (engine) => readTarget({ ...config.spec, engine }),
    openStore: () => storeFor(config.spec.storage, world),
    readIdentities: () => readIdentities(config.spec),
    root: '/',
    environment: world.env,
    clock: world.clock,
    log: world.log,
    signal: world.signal,
  });
  const what =
    'file' in into ? `the file ${into.file}` : `${into.flavour ?? record.engine} ${into.version}${at(config)}`;
  return `backup ${recordPath(record)} restored into ${what}\n`;
}

function at({ spec: { connection } }: DumpRestoreConfig): string {
  return connection === undefined ? '' : ` at ${connection.host}:${connection.port}`;
}

async function placeOf(
  { spec, metadata }: DumpRestoreConfig,
  options: Omit<ConfigOption, 'config'>,
  world: World,
): Promise<Pick<RestoreDumpContext, 'registry' | 'uses' | 'events'>> {
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
