/** `stillpoint clone`: makes one, lists them, removes one. */
import { randomBytes } from 'node:crypto';
import { timeLimit } from '../abort';
import type { CloneCommandOptions } from '../cli/clone';
import { clone } from '../commands/clone';
import { StillpointError } from '../errors';
import type { KubeClient } from '../kube/client';
import { KubernetesCloneSite } from '../kube/clone-site';
import { KubernetesResourceSite } from '../kube/resource-site';
import { KubernetesRestoreSite } from '../kube/restore-site';
import { jobOfPod } from '../kube/run';
import { formatClone, formatClones } from '../output/clone';
import { formatUndone } from '../output/restore';
import { finishedByJob } from './jobs';
import { connect, kubernetesRegistry, kubernetesUses } from './kubernetes';
import { namespaceOf, theNamespace } from './namespace';
import { engineOf, type World } from './world';

/** Makes a clone, lists those that there are, or removes one: as the options say. */
export async function cloneHandler(
  name: string | undefined,
  options: CloneCommandOptions,
  world: World,
): Promise<string> {
  if (options.registryDirectory !== undefined) {
    throw usage('clone is for backups in a cluster', 'restore a local backup into a folder, with restore --directory');
  }
  const client = await connect(options, world);
  const clones = new KubernetesCloneSite(client, world.clock);
  const namespace = options.toNamespace ?? theNamespace(options, client);
  if (options.list === true) {
    const listed = await clones.list(options.allNamespaces === true ? undefined : namespace);
    return formatClones(listed, options.output, world.clock.now());
  }
  if (options.undo !== undefined) return formatUndone(await clones.undo(namespace, options.undo), options.output);
  if (name === undefined || options.to === undefined) {
    throw usage('clone needs a backup and --to', '`stillpoint clone orders-db/latest -n shop --to orders-copy`');
  }
  return await makeClone(client, clones, { ...options, backup: name, to: options.to }, world);
}

async function makeClone(
  client: KubeClient,
  clones: KubernetesCloneSite,
  options: CloneCommandOptions & { readonly backup: string; readonly to: string },
  world: World,
): Promise<string> {
  const { clock, log, signal } = world;
  const { to, toNamespace, workload, scripts, storageClass, size, image, replace, timeout, resource } = options;
  using limit = timeLimit(
    clock,
    timeout,
    () => new StillpointError('clone-failed', `the clone was not done after ${timeout / 1000} s`),
  );
  const bounded = { ...world, signal: AbortSignal.any([signal, limit.signal]) };
  const backup = await backupStep(options, bounded);
  const warn = (line: string): void => log.warn({}, line);
  const inspectSeconds = Math.ceil(timeout / 1000);
  const result = await clone(
    {
      registry: kubernetesRegistry(client, options.registry, world),
      uses: kubernetesUses(client, options.registry, world),
      site: new KubernetesRestoreSite({ client, clock, inspectSeconds, warn }),
      clones,
      resources: new KubernetesResourceSite(client, options.registry),
      engineOf,
      say: (line) => log.info({}, line),
      signal: bounded.signal,
    },
    {
      backup,
      filter: { namespace: namespaceOf(options, client) },
      ...{ to, workload: workload === true, scripts, storageClass, image, namespace: toNamespace, sizes: size ?? [] },
      resource,
      generation: replace === true ? await generation(client, world) : undefined,
    },
  );
  return formatClone(result, options.output);
}

/** `<policy>/now` is a backup that is taken first. */
async function backupStep(options: CloneCommandOptions & { readonly backup: string }, world: World): Promise<string> {
  const { backup } = options;
  const [, policy] = /^([^/]+)\/now$/.exec(backup) ?? [];
  if (policy !== undefined) return await finishedByJob(policy, options, world);
  if (backup !== 'now' && !backup.endsWith('/now')) return backup;
  throw usage(`${backup} does not say of which policy`, 'write <policy>/now, and its namespace with -n');
}

/** Tells a clone from the one that it replaces. A Job's second pod goes on with what its first has begun. */
async function generation(client: KubeClient, { env }: World): Promise<string> {
  const { POD_NAME: name, POD_NAMESPACE: namespace } = env;
  if (name === undefined || namespace === undefined) return randomBytes(4).toString('hex');
  const { owner } = await jobOfPod(client, { name, namespace });
  return owner.jobUid.slice(0, 8);
}

function usage(message: string, hint: string): StillpointError {
  return new StillpointError('usage-invalid', message, { hint });
}
