/** The workload that a backup is restored into, and its claims, as they are before anything is touched. */
import { ANNOTATIONS, type BackupRecord, type RecordedVolume } from '../../../src/contract';
import { StillpointError } from '../../errors';
import { recordPath } from '../../output/records';
import type { Finding } from '../../ports';
import type { ClaimParts } from '../../restore/in-place/operation';
import type { Target, TargetVolume } from '../../restore/in-place/site';
import type { KubeClient } from '../client';
import {
  CLAIMS,
  type Claim,
  DEPLOYMENTS,
  PODS,
  type Pod,
  type PodSpec,
  STATEFUL_SETS,
  VOLUMES,
  type Workload,
} from '../objects';
import type { Resource } from '../resource';
import { claimsOf } from '../workload';
import { findContenders } from './contenders';

/** The kinds whose claims have fixed names. */
export const WORKLOAD_KINDS = { StatefulSet: STATEFUL_SETS, Deployment: DEPLOYMENTS } as const;

/** What Kubernetes gives pods that do not say. */
const GRACE_SECONDS = 30;

/** Looks at the workload of a backup. Throws workload-not-found, claim-not-found and in-place-unsuitable. */
export async function lookAtWorkload(client: KubeClient, record: BackupRecord, signal: AbortSignal): Promise<Target> {
  const { kind, object } = await readWorkload(client, record, signal);
  const { namespace } = record;
  const { metadata, spec } = object;
  const { items: pods } = await client.list(PODS, { namespace }, signal);
  const volumes = await Promise.all(
    record.volumes.map((volume) => readClaim(client, record, volume, { kind, object }, signal)),
  );
  const claims = volumes.map(({ claim }) => claim);
  const holders = pods.filter((pod) => !hasEnded(pod) && [...claimsOf(pod).values()].some((c) => claims.includes(c)));
  const own = holders.filter((pod) => isOf(object, pod));
  const others = new Set(own.flatMap((pod) => [...claimsOf(pod).values()]).filter((claim) => !claims.includes(claim)));
  return {
    workload: { kind, name: metadata.name, uid: metadata.uid ?? '' },
    replicas: spec.replicas ?? 1,
    ready: own.filter(isReady).length,
    image: own[0]?.spec.containers[0]?.image ?? spec.template?.spec.containers[0]?.image,
    deletesWhenScaled: deletesWhenScaled(object),
    graceSeconds: graceOf(spec.template?.spec),
    volumes,
    otherClaims: [...others],
    findings: [
      ...holders.filter((pod) => !isOf(object, pod)).map(({ metadata: { name } }) => foreignHolder(namespace, name)),
      ...(await findContenders(client, kind, object, signal)),
    ],
  };
}

/** Reads the workload that a record names, whatever has become of it. */
async function readWorkload(
  client: KubeClient,
  record: BackupRecord,
  signal: AbortSignal,
): Promise<{ readonly kind: keyof typeof WORKLOAD_KINDS; readonly object: Workload }> {
  const { namespace, workload } = record;
  const { kind, name } = workload ?? {};
  if ((kind !== 'StatefulSet' && kind !== 'Deployment') || name === undefined) {
    const what = kind === undefined ? 'of no workload that is on record' : `of a ${kind}`;
    throw new StillpointError(
      'in-place-unsuitable',
      `backup ${recordPath(record)} is ${what}, and only a StatefulSet or a Deployment is restored in place`,
      { hint: 'restore it beside, with --claim' },
    );
  }
  const object = await client.get<Workload>(WORKLOAD_KINDS[kind] as Resource<Workload>, { name, namespace }, signal);
  if (object !== undefined) return { kind, object };
  throw new StillpointError('workload-not-found', `there is no ${kind} ${namespace}/${name}, and the backup is of it`, {
    hint: 'where the workload is gone, restore to a claim of the name that it will ask for: --claim',
  });
}

async function readClaim(
  client: KubeClient,
  record: BackupRecord,
  recorded: RecordedVolume,
  { kind, object }: { readonly kind: string; readonly object: Workload },
  signal: AbortSignal,
): Promise<TargetVolume> {
  const { namespace } = record;
  const { claim: name } = recorded;
  if (!hasClaim(kind, object, name)) {
    throw new StillpointError(
      'in-place-unsuitable',
      `${kind} ${namespace}/${object.metadata.name} does not mount claim ${name}, and the backup is of that`,
      { hint: 'restore it beside, with --claim' },
    );
  }
  const claim = await client.get(CLAIMS, { name, namespace }, signal);
  const volumeName = claim?.spec.volumeName;
  if (claim === undefined || volumeName === undefined) {
    const what = claim === undefined ? 'is not there' : 'has no volume';
    throw new StillpointError(
      'claim-not-found',
      `claim ${namespace}/${name} ${what}: there is nothing to be replaced`,
      {
        hint: `scale it down, and restore to that very name: stillpoint restore ${record.id} -n ${namespace} --claim ${recorded.name}=${name}`,
      },
    );
  }
  const volume = await client.get(VOLUMES, { name: volumeName }, signal);
  if (volume === undefined) {
    throw new StillpointError(
      'claim-not-found',
      `persistent volume ${volumeName} of claim ${namespace}/${name} is gone`,
    );
  }
  return {
    name: recorded.name,
    claim: name,
    volume: volumeName,
    reclaimPolicy: volume.spec.persistentVolumeReclaimPolicy ?? 'Delete',
    size: volume.spec.capacity?.storage,
    storageClass: claim.spec.storageClassName,
    ...partsOf(claim),
  };
}

/** What a claim has to be made of to be the same on another volume. */
export function partsOf({ metadata, spec }: Claim): ClaimParts {
  const { accessModes, resources, storageClassName, volumeMode, volumeAttributesClassName } = spec;
  return {
    claimSpec: defined({ accessModes, resources, storageClassName, volumeMode, volumeAttributesClassName }),
    claimLabels: metadata.labels ?? {},
    claimAnnotations: ownAnnotations(metadata.annotations ?? {}),
  };
}

/** A StatefulSet's claims are called `<template>-<set>-<ordinal>`; others stand in the pod's template by name. */
export function hasClaim(kind: string, { metadata, spec }: Workload, claim: string): boolean {
  const named = (spec.template?.spec.volumes ?? []).some((volume) => volume.persistentVolumeClaim?.claimName === claim);
  if (named || kind !== 'StatefulSet') return named;
  return (spec.volumeClaimTemplates ?? []).some((template) => {
    const prefix = `${template.metadata.name}-${metadata.name}-`;
    return claim.startsWith(prefix) && /^\d+$/.test(claim.slice(prefix.length));
  });
}

/** Whether a StatefulSet deletes the claims of the pods that it takes away. */
export function deletesWhenScaled({ spec }: Workload): boolean {
  const policy = spec.persistentVolumeClaimRetentionPolicy as { readonly whenScaled?: string } | undefined;
  return policy?.whenScaled === 'Delete';
}

/** Whether a pod is one of a workload's: a Deployment's are those of its ReplicaSets. */
export function isOf({ metadata, spec }: Workload, pod: Pod): boolean {
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return false;
  if (owner.uid === metadata.uid) return true;
  const { matchLabels = {} } = (spec.selector ?? {}) as { readonly matchLabels?: Readonly<Record<string, string>> };
  const labels = pod.metadata.labels ?? {};
  const selected = Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
  return owner.kind === 'ReplicaSet' && owner.name.startsWith(`${metadata.name}-`) && selected;
}

/** Whether a pod has given back what it held. */
export function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Whether a pod serves. */
export function isReady({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  return ready === true && metadata.deletionTimestamp === undefined;
}

function graceOf(pod: PodSpec | undefined): number {
  const seconds = pod?.terminationGracePeriodSeconds;
  return typeof seconds === 'number' ? seconds : GRACE_SECONDS;
}

/** Those by which Kubernetes, or we, remember how the claim came to its volume are not the new claim's. */
function ownAnnotations(annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const foreign = /^(pv\.kubernetes\.io\/|volume\.kubernetes\.io\/|volume\.beta\.kubernetes\.io\/)/;
  const own = ([key]: [string, string]): boolean => !foreign.test(key) && key !== ANNOTATIONS.bindingAsked;
  return Object.fromEntries(Object.entries(annotations).filter(own));
}

function foreignHolder(namespace: string, pod: string): Finding {
  return {
    severity: 'error',
    code: 'in-place-unsuitable',
    subject: `pod ${namespace}/${pod}`,
    message: `pod ${namespace}/${pod} holds a claim of the database, and is not one of its workload's`,
    hint: 'end it first: a claim is only let go when nobody holds it',
  };
}

function defined(object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
