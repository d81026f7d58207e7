/** With a cluster: the ports on the Kubernetes API. */
import { accessRequestOf, backupAccess, JOB_DEFAULTS, type SnapshotConfig, type Trigger } from '../../src/contract';
import type { GlobalOptions } from '../cli/options';
import type { BackupContext } from '../commands/backup';
import type { AccessHints } from '../kube/access-check';
import { connectKube, type KubeClient } from '../kube/client';
import { KubernetesEvents } from '../kube/events';
import { KubernetesGuards } from '../kube/guards';
import { KubernetesInventory } from '../kube/inventory';
import { KubernetesLocks } from '../kube/locks';
import { NAMESPACES } from '../kube/objects';
import { KubernetesPlatform } from '../kube/platform';
import { KubernetesPodCommands } from '../kube/pod-commands';
import { KubernetesPruner } from '../kube/pruner';
import { KubernetesRemover } from '../kube/pruning';
import { jobOfPod } from '../kube/run';
import { KubernetesRunners } from '../kube/runners';
import { KubernetesSlots, type KubernetesSlotsOptions } from '../kube/slots';
import { KubernetesWorkloads } from '../kube/workloads';
import { LogEvents } from '../local/events';
import type { Lease, Locks, Outside, Policies, Registry, Remover, Run, Slots, Uses } from '../ports';
import { KubernetesRegistry } from '../registry/kubernetes';
import { KubernetesUses } from '../registry/kubernetes-uses';
import { KubernetesPolicies } from '../registry/policies';
import { KubernetesSnapshots } from '../snapshots/kubernetes';
import { personalRun, sourcesOf, type World } from './world';

/** A connection to the cluster that the command line means. */
export function connect(options: GlobalOptions, { env, clock }: World): Promise<KubeClient> {
  const { context, kubeconfig } = options;
  return connectKube({ env, context, kubeconfig }, clock);
}

/** Who the API server takes one for; undefined where it does not say. */
export async function whoAmI(client: KubeClient): Promise<string | undefined> {
  const ask = ['authentication.k8s.io', 'selfsubjectreviews', 'SelfSubjectReview', {}] as const;
  const review = client.review<{ readonly status?: { readonly userInfo?: { readonly username?: string } } }>(...ask);
  return (await review.catch(() => undefined))?.status?.userInfo?.username;
}

/** The records in a namespace. */
export function kubernetesRegistry(client: KubeClient, namespace: string, { clock, log }: World): Registry {
  return new KubernetesRegistry(client, { namespace, clock, log });
}

/** Marks of use on the records in a namespace. */
export function kubernetesUses(client: KubeClient, namespace: string, { clock, log }: World): Uses {
  return new KubernetesUses(client, { namespace, clock, log });
}

/** What the registry in a namespace knows of policies. */
export function kubernetesPolicies(client: KubeClient, namespace: string, { log }: World): Policies {
  return new KubernetesPolicies(client, { namespace, log });
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

/** The pruner that rests until it is asked. */
export function kubernetesPruner(client: KubeClient, namespace: string): KubernetesPruner {
  return new KubernetesPruner(client, namespace);
}

/** What removes snapshots for good. */
export function kubernetesRemover(client: KubeClient, { clock, log }: World): Remover {
  return new KubernetesRemover(client, { clock, log });
}

/** What is done to a database from outside its session. */
export function kubernetesOutside(client: KubeClient, namespace: string, { clock }: Pick<World, 'clock'>): Outside {
  return {
    pods: new KubernetesPodCommands(client, namespace),
    workloads: new KubernetesWorkloads(client, { namespace, clock }),
  };
}

/** The run of the Job that this pod belongs to; undefined where it is no pod. */
export async function runOfJob(
  client: KubeClient,
  { namespace, trigger }: { readonly namespace: string; readonly trigger?: Trigger | undefined },
  { env }: World,
): Promise<Run | undefined> {
  const { POD_NAME: name } = env;
  return name === undefined ? undefined : await jobOfPod(client, { name, namespace }, trigger);
}

/** Everything that a backup of a policy needs. */
export async function kubernetesBackup(
  config: SnapshotConfig,
  options: GlobalOptions,
  client: KubeClient,
  world: World,
): Promise<BackupContext> {
  const { clock, log, signal, env } = world;
  const namespace =
    config.metadata.namespace ?? env.POD_NAMESPACE ?? options.namespace ?? client.namespace ?? 'default';
  const registryNamespace = config.spec.registry.namespace ?? options.registry;
  const job = await runOfJob(client, { namespace, trigger: config.spec.trigger }, world);
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
      hints: job === undefined ? OF_A_PERSON : OF_A_POLICY,
    }),
    outside: kubernetesOutside(client, namespace, world),
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
    runners: new KubernetesRunners(client, { namespace, clock, log }),
    guards: job === undefined ? undefined : guardsOf(config, namespace, client, world),
    policies: kubernetesPolicies(client, registryNamespace, world),
    inventory: new KubernetesInventory(client),
    pruner: config.spec.prune === true ? new KubernetesPruner(client, registryNamespace) : undefined,
    events: job === undefined ? new LogEvents(log) : new KubernetesEvents(client, { namespace, run, clock }),
    clock,
    log,
    signal,
    runnerVersion: world.version,
  };
}

/** What to do where a right of a policy's account is missing. */
export const OF_A_POLICY: AccessHints = {
  needed: 'apply the manifests of the policy again: they grant it',
  optional: 'the backup works without it, and says what it could not check',
};

/** The same of a person. */
export const OF_A_PERSON: AccessHints = {
  needed: 'have it granted to you, or let the policy take it with its own account: stillpoint backup without --config',
  optional: OF_A_POLICY.optional,
};

/** Of the time that a backup has, so much may go by before its turn comes. */
const SLOT_SHARE = 0.8;

function slotsOf(
  { spec }: SnapshotConfig,
  client: KubeClient,
  who: { readonly namespace: string; readonly holder: string },
  { clock, log }: World,
): Slots | undefined {
  const count = spec.snapshots.slots ?? 0;
  if (count === 0) return undefined;
  const limitMs = (spec.deadlineSeconds ?? JOB_DEFAULTS.readyTimeoutSeconds) * SLOT_SHARE * 1000;
  return slotsOfRegistry(client, { ...who, count, limitMs }, { clock, log });
}

/** Turns at the snapshot controller, by the Leases of a registry. */
export function slotsOfRegistry(
  client: KubeClient,
  options: Omit<KubernetesSlotsOptions, 'clock' | 'log'>,
  { clock, log }: Pick<World, 'clock' | 'log'>,
): Slots {
  return new KubernetesSlots(client, { ...options, clock, log });
}

/** The guard of a Job: another pod of it. */
function guardsOf(
  { spec }: SnapshotConfig,
  namespace: string,
  client: KubeClient,
  { clock, log }: World,
): KubernetesGuards | undefined {
  if (spec.guarded !== true) return undefined;
  const timeoutSeconds = spec.guardTimeoutSeconds ?? JOB_DEFAULTS.guardTimeoutSeconds;
  return new KubernetesGuards(client, { namespace, database: spec.database, timeoutSeconds, clock, log });
}
