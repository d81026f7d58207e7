/** What a dump needs of the world: the tools of the image that this runs in, a store, and the records. */
import { type DumpConfig, dumpAccess, type StoreConfig } from '../../src/contract';
import type { GlobalOptions } from '../cli/options';
import type { DumpDoctorContext } from '../commands/doctor-dump';
import { readStores, readTarget } from '../config';
import { storeOf } from '../dump/record';
import { ObjectsRemover } from '../dump/remover';
import { LogEvents } from '../local/events';
import type { Remover } from '../ports';
import { openStore } from '../storage';
import type { ObjectStore } from '../storage/object-store';
import { engineNamed, personalRun, type World } from './world';

/** A store, with its credentials read. */
export function storeFor(config: StoreConfig, { clock, env }: World): Promise<ObjectStore> {
  return openStore(config, { clock, random: Math.random, environment: env });
}

/** What removes dumps from the stores that a file names. */
export async function objectsRemover(file: string, world: World): Promise<Remover> {
  const { stores } = (await readStores(file)).spec;
  return new ObjectsRemover({ configs: stores, open: (config) => storeFor(config, world) }, world);
}

/** What removes dumps from wherever their records say, with what this machine has of credentials. */
export function objectsRemoverOfRecords(world: World): Remover {
  const remover = (config: StoreConfig | undefined): Remover => {
    const configs = config === undefined ? [] : [config];
    return new ObjectsRemover({ configs, open: (each) => storeFor(each, world) }, world);
  };
  return {
    remove: (stored) => remover(storeOf(stored.record)).remove(stored),
    removeLeftovers: async () => [],
  };
}

/** Everything that a dump needs: with records in a cluster, or in a folder, as the config says. */
export async function dumpContext(
  config: DumpConfig,
  options: GlobalOptions,
  world: World,
): Promise<DumpDoctorContext> {
  const { clock, log, signal, env, version } = world;
  const shared = {
    config,
    engine: await engineNamed(config.spec.engine),
    readTarget: () => readTarget(config.spec),
    openStore: () => storeFor(config.spec.storage, world),
    root: '/',
    environment: env,
    clock,
    log,
    signal,
    runnerVersion: version,
  };
  const { directory } = config.spec.registry;
  return directory === undefined
    ? { ...shared, ...(await inCluster(config, options, world)) }
    : { ...shared, ...(await inFolder(config, directory, world)) };
}

type Place = Pick<
  DumpDoctorContext,
  'namespace' | 'run' | 'platform' | 'registry' | 'policies' | 'locks' | 'events' | 'pruner'
>;

async function inCluster(config: DumpConfig, options: GlobalOptions, world: World): Promise<Place> {
  const { clock, log, env } = world;
  const { connect, kubernetesPolicies, kubernetesPruner, kubernetesRegistry, OF_A_PERSON, OF_A_POLICY, runOfJob } =
    await import('./kubernetes');
  const { KubernetesEvents } = await import('../kube/events');
  const { KubernetesLocks } = await import('../kube/locks');
  const { KubernetesPlatform } = await import('../kube/platform');
  const client = await connect(options, world);
  const namespace =
    config.metadata.namespace ?? env.POD_NAMESPACE ?? options.namespace ?? client.namespace ?? 'default';
  const registryNamespace = config.spec.registry.namespace ?? options.registry;
  const job = await runOfJob(client, { namespace, trigger: config.spec.trigger }, world);
  const run = job ?? personalRun(world);
  return {
    namespace,
    run,
    platform: new KubernetesPlatform(client, {
      namespace,
      registryNamespace,
      needs: dumpAccess(config),
      hints: job === undefined ? OF_A_PERSON : OF_A_POLICY,
    }),
    registry: kubernetesRegistry(client, registryNamespace, world),
    policies: kubernetesPolicies(client, registryNamespace, world),
    locks: new KubernetesLocks(client, { namespace, clock, log }),
    events: job === undefined ? new LogEvents(log) : new KubernetesEvents(client, { namespace, run, clock }),
    pruner: config.spec.prune === true ? kubernetesPruner(client, registryNamespace) : undefined,
  };
}

async function inFolder(config: DumpConfig, directory: string, world: World): Promise<Place> {
  const { LOCAL_NAMESPACE, localLocks, localPolicies, localRegistry } = await import('./local');
  return {
    namespace: config.metadata.namespace ?? LOCAL_NAMESPACE,
    run: personalRun(world),
    platform: { checkAccess: async () => [], clusterUid: async () => undefined },
    registry: localRegistry(directory, world),
    policies: localPolicies(directory, world),
    locks: localLocks(directory),
    events: new LogEvents(world.log),
  };
}
