/** Everything that can be known of a restore before anything is made. */
import { restoreContentName, restoreNames, restoreSnapshotName } from '../../../src/contract';
import { StillpointError } from '../../errors';
import { recordPath } from '../../output/records';
import { type PlannedVolume, type RestorePlan, wholeOf } from '../../restore/plan';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS } from '../../snapshots/objects';
import type { KubeClient } from '../client';
import { isForbidden } from '../errors';
import {
  CLAIMS,
  CONFIG_MAPS,
  type ConfigMap,
  JOBS,
  NAMESPACES,
  PODS,
  STORAGE_CLASSES,
  type StorageClass,
} from '../objects';
import type { KubeObject, Resource } from '../resource';
import { differenceFrom, newJournal } from './journal';
import { isOwn, ownLabels } from './labels';
import { prepareJob, preparePod } from './pods';
import { findSource } from './source';
import { claimOf, contentOf, snapshotOf } from './volumes';

/** The namespace must be there. */
export async function checkNamespace(client: KubeClient, plan: RestorePlan, signal: AbortSignal): Promise<void> {
  const { namespace } = plan;
  const found = await client.get(NAMESPACES, { name: namespace }, signal).catch((thrown: unknown) => {
    if (isForbidden(thrown)) return UNKNOWN;
    throw thrown;
  });
  if (found === undefined) {
    throw new StillpointError('namespace-not-found', `there is no namespace ${namespace} to restore into`, {
      hint: `kubectl create namespace ${namespace}, or name another one with --to-namespace`,
    });
  }
}

/**
 * What the restore would make must not be there (safety rule 12), unless an earlier run of this very restore has made
 * it and never came to its end. Answers with that run's journal.
 */
export async function checkNames(
  client: KubeClient,
  plan: RestorePlan,
  signal: AbortSignal,
): Promise<ConfigMap | undefined> {
  const { namespace, name } = plan;
  const names = restoreNames(name);
  const journal = await client.get(CONFIG_MAPS, { name: names.journal, namespace }, signal);
  if (journal !== undefined) assertSame(plan, journal);
  const refuse = <T extends KubeObject>(kind: Resource<T>, what: string, objectName: string): Promise<void> =>
    refuseTaken(client, plan, { kind, what, name: objectName, unfinished: journal !== undefined }, signal);
  await Promise.all([
    ...plan.volumes.map(({ claim }) => refuse(CLAIMS, 'claim', claim)),
    ...plan.volumes.map((volume) => refuse(VOLUME_SNAPSHOTS, 'VolumeSnapshot', restoreSnapshotName(name, volume.name))),
    ...plan.volumes.map((volume) =>
      refuse(SNAPSHOT_CONTENTS, 'VolumeSnapshotContent', restoreContentName(namespace, name, volume.name)).catch(
        ignoreForbidden,
      ),
    ),
    refuse(JOBS, 'Job', names.prepare),
    refuse(PODS, 'pod', names.server),
  ]);
  return journal;
}

/** The classes must be there, and of the driver that made the snapshots. */
export async function checkClasses(client: KubeClient, plan: RestorePlan, signal: AbortSignal): Promise<void> {
  for (const volume of plan.volumes) await checkClass(client, volume, signal);
}

/**
 * Lets the API server judge everything that is not there yet: rights, quotas, admission, pod security. Nothing is kept.
 */
export async function rehearse(client: KubeClient, plan: RestorePlan, signal: AbortSignal): Promise<void> {
  const { namespace, name } = plan;
  const missing = async <T extends KubeObject>(kind: Resource<T>, object: Omit<T, 'apiVersion' | 'kind'>) => {
    const { name: objectName } = object.metadata;
    const there = await client.get(kind, { name: objectName, namespace: object.metadata.namespace }, signal);
    if (there === undefined) await client.rehearse(kind, object, signal);
  };
  await missing(CONFIG_MAPS, newJournal(plan));
  for (const volume of plan.volumes) {
    const source = await findSource(client, plan, volume, signal);
    if (source.kind === 'handle') {
      await missing(SNAPSHOT_CONTENTS, contentOf(plan, volume, source.cut));
      await missing(VOLUME_SNAPSHOTS, snapshotOf(plan, volume));
    }
    const snapshot = source.kind === 'handle' ? restoreSnapshotName(name, volume.name) : source.name;
    await missing(CLAIMS, claimOf(plan, volume, snapshot));
  }
  await missing(JOBS, prepareJob(plan));
  // A Job is admitted whatever its pods may: Pod Security and quotas look at the pod itself.
  const pod = { name: `${restoreNames(name).prepare}-rehearsal`, namespace, labels: ownLabels(plan) };
  await missing(PODS, { metadata: pod, spec: preparePod(plan) });
}

function assertSame(plan: RestorePlan, journal: ConfigMap): void {
  const difference = isOwn(journal, plan) ? differenceFrom(journal, plan) : 'of something else';
  if (difference === undefined && journal.metadata.deletionTimestamp === undefined) return;
  throw new StillpointError(
    'restore-exists',
    `restore ${plan.namespace}/${plan.name} has begun already, ${difference ?? 'and is being removed'}`,
    { hint: `remove that one first: ${undoCommand(plan)}; or take another name for the claim` },
  );
}

async function refuseTaken<T extends KubeObject>(
  client: KubeClient,
  plan: RestorePlan,
  wanted: { kind: Resource<T>; what: string; name: string; unfinished: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { kind, what, name, unfinished } = wanted;
  const { namespace } = plan;
  const found = await client.get(kind, { name, namespace }, signal);
  if (found === undefined) return;
  const own = isOwn(found, plan);
  if (own && unfinished && found.metadata.deletionTimestamp === undefined) return;
  const path = kind.namespaced ? `${what} ${namespace}/${name}` : `${what} ${name}`;
  if (!own) {
    throw new StillpointError('restore-exists', `${path} is there already, and is not overwritten`, {
      hint: 'take another name with --claim',
    });
  }
  const state =
    found.metadata.deletionTimestamp === undefined
      ? `was made of backup ${recordPath(plan.record)} already, at ${found.metadata.creationTimestamp}`
      : 'is being removed';
  throw new StillpointError('restore-exists', `${path} ${state}`, {
    hint: `use it, take another name with --claim, or remove it first: ${undoCommand(plan)}`,
  });
}

async function checkClass(client: KubeClient, volume: PlannedVolume, signal: AbortSignal): Promise<void> {
  const { storageClass: name, cut } = volume;
  const found = name === undefined ? await defaultClass(client, signal) : await readClass(client, name, signal);
  if (found === UNKNOWN) return;
  if (found === undefined) {
    throw new StillpointError(
      'class-not-found',
      name === undefined
        ? `no storage class is known for volume ${volume.name}: the record names none, and the cluster has no default`
        : `there is no storage class ${name} for volume ${volume.name}`,
      { hint: 'name one of the same driver with --storage-class; `kubectl get storageclass` shows them' },
    );
  }
  if (cut.driver === undefined || found.provisioner === cut.driver) return;
  throw new StillpointError(
    'class-driver-mismatch',
    `storage class ${found.metadata.name} is of driver ${found.provisioner}, but the snapshot of volume ${volume.name} is of ${cut.driver}`,
    { hint: `name a class of ${cut.driver} with --storage-class` },
  );
}

/** Stands for what the account may not read: then it is not checked. */
const UNKNOWN = 'unknown';

async function readClass(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<StorageClass | typeof UNKNOWN | undefined> {
  return client.get(STORAGE_CLASSES, { name }, signal).catch(unknownWhenForbidden);
}

async function defaultClass(
  client: KubeClient,
  signal: AbortSignal,
): Promise<StorageClass | typeof UNKNOWN | undefined> {
  const listed = await client.list(STORAGE_CLASSES, {}, signal).catch(unknownWhenForbidden);
  if (listed === UNKNOWN) return UNKNOWN;
  return listed.items.find(
    ({ metadata }) => metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true',
  );
}

/** Where contents may not be read, none is needed, or the rehearsal tells. */
function ignoreForbidden(thrown: unknown): void {
  if (!isForbidden(thrown)) throw thrown;
}

function unknownWhenForbidden(thrown: unknown): typeof UNKNOWN {
  if (isForbidden(thrown)) return UNKNOWN;
  throw thrown;
}

/** The command that removes what a restore has made. */
export function undoCommand(plan: Pick<RestorePlan, 'name' | 'of' | 'namespace'>): string {
  return `stillpoint restore --undo ${wholeOf(plan)} --to-namespace ${plan.namespace}`;
}
