/** With a cluster: the ports on the Kubernetes API. */
import { randomUUID } from 'node:crypto';
import { accessRequestOf, backupAccess, backupId, JOB_DEFAULTS, type PolicyConfig } from '../../src/contract';
import type { GlobalOptions } from '../cli/options';
import type { BackupContext } from '../commands/backup';
import { connectKube, type KubeClient } from '../kube/client';
import { KubernetesEvents } from '../kube/events';
import { KubernetesGuards } from '../kube/guards';
import { KubernetesLocks } from '../kube/locks';
import { NAMESPACES } from '../kube/objects';
import { KubernetesPlatform } from '../kube/platform';
import { KubernetesRemover } from '../kube/pruning';
import { jobOfPod } from '../kube/run';
import { KubernetesRunners } from '../kube/runners';
import { KubernetesSlots } from '../kube/slots';
import { LogEvents } from '../local/events';
import type { Lease, Locks, Registry, Remover, Run, Slots } from '../ports';
import { KubernetesRegistry } from '../registry/kubernetes';
import { KubernetesSnapshots } from '../snapshots/kubernetes';
import { sourcesOf, type World } from './world';

/** A connection to the cluster that the command line means. */
export function connect(options: GlobalOptions, { env, clock }: World): Promise<KubeClient> {
  const { context, kubeconfig } = options;
  return connectKube({ env, context, kubeconfig }, clock);
}

/** The records in a namespace. */
export function kubernetesRegistry(client: KubeClient, namespace: string, { clock, log }: World): Registry {
  return new KubernetesRegistry(client, { namespace, clock, log });
}

/** The locks of a namespace. In one that is gone nobody is at work, and nothing is to be held. */
export function kubernetesLocks(client: KubeClient, namespace: string, { clock, log }: World): Locks {
  const locks = new KubernetesLocks(client, { namespace, clock, log });
  const nothing: Lease = { lost: new AbortController().signal, release: async () => undefined };
  return {
    acquire: async (name, holder) => {
      const there = await client.get(NAMESPACES, { name: namespace });
      return there === undefined ? nothing : await locks.acquire(name, holder);
    },
  };
}

/** What removes snapshots for good. */
export function kubernetesRemover(client: KubeClient, { clock, log }: World): Remover {
  return new KubernetesRemover(client, { clock, log });
}

/** Everything that a backup of a policy needs. */
export async function kubernetesBackup(
  config: PolicyConfig,
  options: GlobalOptions,
  client: KubeClient,
  world: World,
): Promise<BackupContext> {
  const { clock, log, signal, env } = world;
  const pod = env.POD_NAME;
  const namespace =
    config.metadata.namespace ?? env.POD_NAMESPACE ?? options.namespace ?? client.namespace ?? 'default';
  const registryNamespace = config.spec.registry.namespace ?? options.registry;
  const job = pod === undefined ? undefined : await jobOfPod(client, { name: pod, namespace }, config.spec.trigger);
  const run = job ?? personalRun(world);
  const { snapshots } = config.spec;
  return {
    config,
    namespace,
    run,
    sources: await sourcesOf(config),
    platform: new KubernetesPlatform(client, {
      namespace,
      registryNamespace,
      needs: backupAccess(accessRequestOf(config)),
    }),
    store: new KubernetesSnapshots({
      client,
      namespace,
      className: snapshots.className,
      groupClassName: snapshots.groupClassName,
      direct: snapshots.direct,
      clock,
      log,
    }),
    registry: kubernetesRegistry(client, registryNamespace, world),
    locks: new KubernetesLocks(client, { namespace, clock, log }),
    slots: slotsOf(config, client, { namespace: registryNamespace, holder: run.owner.jobUid }, world),
    runners: new KubernetesRunners(client, namespace),
    guards: job === undefined ? undefined : guardsOf(config, namespace, client, world),
    events: job === undefined ? new LogEvents(log) : new KubernetesEvents(client, { namespace, run, clock }),
    clock,
    log,
    signal,
    runnerVersion: world.version,
  };
}

/** Of the time that a backup has, so much may go by before its turn comes. */
const SLOT_SHARE = 0.8;

function slotsOf(
  { spec }: PolicyConfig,
  client: KubeClient,
  who: { readonly namespace: string; readonly holder: string },
  { clock, log }: World,
): Slots | undefined {
  const count = spec.snapshots.slots ?? 0;
  if (count === 0) return undefined;
  const limitMs = (spec.deadlineSeconds ?? JOB_DEFAULTS.readyTimeoutSeconds) * SLOT_SHARE * 1000;
  return new KubernetesSlots(client, { ...who, count, limitMs, clock, log });
}

/** The guard of a Job: another pod of it. */
function guardsOf(
  { spec }: PolicyConfig,
  namespace: string,
  client: KubeClient,
  { clock, log }: World,
): KubernetesGuards | undefined {
  if (spec.guarded !== true) return undefined;
  const timeoutSeconds = spec.guardTimeoutSeconds ?? JOB_DEFAULTS.guardTimeoutSeconds;
  return new KubernetesGuards(client, { namespace, database: spec.database, timeoutSeconds, clock, log });
}

/** A backup that a person takes in a process of their own: nobody goes on with it. */
function personalRun({ clock }: World): Run {
  return { id: backupId(clock.now()), owner: { jobUid: randomUUID() }, trigger: 'manual' };
}
