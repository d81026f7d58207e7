/** Resolves what a policy selects to claims and their volumes. */
import type { VolumeSelection } from '../../src/contract';
import { StillpointError } from '../errors';
import type { Volume } from '../ports';
import type { KubeClient } from './client';
import { isForbidden } from './errors';
import { CLAIMS, type Claim, type PersistentVolume, VOLUMES } from './objects';

/** Finds the claims of a policy with all that the record keeps of them. Throws claim-not-found. */
export async function resolveVolumes(
  client: KubeClient,
  namespace: string,
  selections: readonly VolumeSelection[],
): Promise<readonly Volume[]> {
  const found = await Promise.all(selections.map((selection) => resolveOne(client, namespace, selection)));
  return found.flat();
}

async function resolveOne(client: KubeClient, namespace: string, selection: VolumeSelection): Promise<Volume[]> {
  if (selection.matchLabels !== undefined) return byLabels(client, namespace, selection, selection.matchLabels);
  const name = claimName(selection);
  const claim = await client.get(CLAIMS, { namespace, name });
  if (claim !== undefined) return [await volumeOf(client, namespace, selection, claim)];
  throw new StillpointError('claim-not-found', `there is no claim ${namespace}/${name} for volume ${selection.name}`, {
    hint: `see which there are: kubectl get pvc -n ${namespace}`,
  });
}

/** A StatefulSet's claims are called `<template>-<set>-<ordinal>`. */
function claimName({ name, claim, statefulSet }: VolumeSelection): string {
  if (claim !== undefined) return claim;
  if (statefulSet !== undefined) {
    return `${statefulSet.volumeClaimTemplate}-${statefulSet.name}-${statefulSet.ordinal}`;
  }
  throw new StillpointError('config-invalid', `volume ${name} of the policy names no claim`, {
    hint: 'give it a claim, a statefulSet or matchLabels',
  });
}

async function byLabels(
  client: KubeClient,
  namespace: string,
  selection: VolumeSelection,
  labels: Readonly<Record<string, string>>,
): Promise<Volume[]> {
  const { items } = await client.list(CLAIMS, { namespace, labels });
  if (items.length === 0) {
    const wanted = Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
    throw new StillpointError('claim-not-found', `no claim in ${namespace} has the labels ${wanted}`, {
      hint: `see which there are: kubectl get pvc -n ${namespace} --show-labels`,
    });
  }
  const sorted = items.toSorted((one, other) => one.metadata.name.localeCompare(other.metadata.name));
  return Promise.all(
    sorted.map((claim, index) => {
      const name = sorted.length === 1 ? selection.name : `${selection.name}-${index}`;
      return volumeOf(client, namespace, { ...selection, name }, claim);
    }),
  );
}

async function volumeOf(
  client: KubeClient,
  namespace: string,
  { name, role }: VolumeSelection,
  claim: Claim,
): Promise<Volume> {
  const { metadata, spec, status } = claim;
  const bound = status?.phase === 'Bound' ? spec.volumeName : undefined;
  const volume = bound === undefined ? undefined : await readVolume(client, bound);
  const known = {
    claimUid: metadata.uid,
    persistentVolume: bound,
    volumeHandle: volume?.spec.csi?.volumeHandle,
    driver: volume === undefined ? undefined : driverOf(volume),
    storageClass: spec.storageClassName,
    accessModes: spec.accessModes,
    capacity: status?.capacity?.storage,
    volumeMode: spec.volumeMode,
    claimLabels: metadata.labels,
  };
  return {
    name,
    role,
    claim: metadata.name,
    namespace,
    claimSpec: restorableSpec(spec),
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)),
  };
}

async function readVolume(client: KubeClient, name: string): Promise<PersistentVolume | undefined> {
  try {
    return await client.get(VOLUMES, { name });
  } catch (thrown) {
    if (isForbidden(thrown)) return undefined;
    throw thrown;
  }
}

/** The CSI driver; of a volume that has none, its kind (`hostPath`, `nfs`), which no snapshot class can be of. */
function driverOf({ spec }: PersistentVolume): string {
  if (spec.csi !== undefined) return spec.csi.driver;
  const kinds = ['hostPath', 'local', 'nfs', 'iscsi', 'fc', 'awsElasticBlockStore', 'gcePersistentDisk', 'azureDisk'];
  return kinds.find((kind) => spec[kind] !== undefined) ?? 'no CSI driver';
}

/** What a new claim needs; neither the volume that this one is bound to, nor what it was once made from. */
function restorableSpec(spec: Claim['spec']): Record<string, unknown> {
  const { accessModes, resources, storageClassName, volumeMode, volumeAttributesClassName } = spec;
  const kept = { accessModes, resources, storageClassName, volumeMode, volumeAttributesClassName };
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
}
