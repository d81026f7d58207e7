/** What copies need of the world: a cluster, a worker in it, a store, and the records. */
import { COPY_MOUNTS, type CopyConfig, copyAccess, isCopy } from '../../src/contract';
import type { ConfigOption } from '../cli/backup';
import type { CopyFilesCommandOptions } from '../cli/copies';
import type { GlobalOptions } from '../cli/options';
import type { CopyContext } from '../commands/copy';
import { copyFiles } from '../commands/copy-files';
import type { CopyDoctorContext } from '../commands/doctor-copy';
import { restoreCopy } from '../commands/restore-copy';
import { readConfig, readCopyRestoreConfig, readIdentities } from '../config';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import { storeFor } from './dump';
import { restorePlace } from './restore-place';
import type { World } from './world';

/** Everything that a copy needs. */
export async function copyContext(
  config: CopyConfig,
  options: GlobalOptions,
  world: World,
): Promise<CopyDoctorContext> {
  const { clock, log, signal, env, version } = world;
  const { connect, kubernetesPolicies, kubernetesPruner, kubernetesRegistry, kubernetesUses, OF_A_POLICY, runOfJob } =
    await import('./kubernetes');
  const { KubernetesCopySite } = await import('../kube/copy-site');
  const { KubernetesEvents } = await import('../kube/events');
  const { KubernetesLocks } = await import('../kube/locks');
  const { KubernetesPlatform } = await import('../kube/platform');
  const client = await connect(options, world);
  const namespace =
    config.metadata.namespace ?? env.POD_NAMESPACE ?? options.namespace ?? client.namespace ?? 'default';
  const registryNamespace = config.spec.registry.namespace ?? options.registry;
  const run = await runOfJob(client, { namespace, trigger: config.spec.trigger }, world);
  if (run === undefined) {
    throw new StillpointError('usage-invalid', 'a copy is taken by the Job of its policy, and this is no pod of one', {
      hint: `stillpoint backup ${config.spec.database} -n ${namespace} starts one`,
    });
  }
  return {
    config,
    namespace,
    run,
    registry: kubernetesRegistry(client, registryNamespace, world),
    policies: kubernetesPolicies(client, registryNamespace, world),
    uses: kubernetesUses(client, registryNamespace, world),
    site: new KubernetesCopySite(client, { namespace, config, run, clock }),
    locks: new KubernetesLocks(client, { namespace, clock, log }),
    platform: new KubernetesPlatform(client, {
      namespace,
      registryNamespace,
      needs: copyAccess(config),
      hints: OF_A_POLICY,
    }),
    events: new KubernetesEvents(client, { namespace, run, clock }),
    pruner: config.spec.prune === true ? kubernetesPruner(client, registryNamespace) : undefined,
    openStore: () => storeFor(config.spec.storage, world),
    clock,
    log,
    signal,
    runnerVersion: version,
  };
}

/** `copy-files`: what the worker of a policy of copies runs. */
export async function copyFilesHandler(
  { config: file, result }: CopyFilesCommandOptions,
  world: World,
): Promise<string> {
  const config = await readConfig(file);
  if (!isCopy(config)) throw new StillpointError('config-invalid', `job config ${file} is of no copies`);
  const openStore = (): ReturnType<CopyContext['openStore']> => storeFor(config.spec.storage, world);
  const { volumes, order, orderFile, state } = COPY_MOUNTS;
  const places = { volumes, state, orderFile: `${order}/${orderFile}`, resultFile: result };
  await copyFiles({ ...world, config, openStore }, places);
  return '';
}

/** `restore-copy`: what the Job of a restore from a copy runs first. */
export async function restoreCopyHandler({ config: file, ...options }: ConfigOption, world: World): Promise<string> {
  const config = await readCopyRestoreConfig(file);
  const { record, files, bytes } = await restoreCopy({
    ...(await restorePlace(config, options, world)),
    config,
    openStore: () => storeFor(config.spec.storage, world),
    readIdentities: () => readIdentities(config.spec),
    user: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
    clock: world.clock,
    log: world.log,
    signal: world.signal,
  });
  return `copy ${recordPath(record)} restored: ${files} files and folders, ${bytes} bytes\n`;
}
