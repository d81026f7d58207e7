/** The exchange of two volumes, seen and done: each step of it is one write. */
import { ANNOTATIONS } from '../../../src/contract';
import type { Clock } from '../../ports';
import { fitting } from '../../restore/in-place/claim-size';
import type { Action, Seen, SeenClaim, SeenVolume } from '../../restore/in-place/machine';
import type { ExchangedVolume, Operation } from '../../restore/in-place/operation';
import type { KubeClient } from '../client';
import { isAlreadyThere } from '../errors';
import { CLAIMS, type Claim, type PersistentVolume, PODS, VOLUMES, type Workload } from '../objects';
import type { Resource } from '../resource';
import { claimsOf } from '../workload';
import { inPlaceLabels } from './journal';
import { deletesWhenScaled, hasEnded, isOf, isReady, partsOf, WORKLOAD_KINDS } from './workload';

/** All that decides on the next step. Undefined when the workload is gone, or is another one of its name. */
export async function see(client: KubeClient, operation: Operation, signal: AbortSignal): Promise<Seen | undefined> {
  const { namespace, workload } = operation;
  const kind = WORKLOAD_KINDS[workload.kind] as Resource<Workload>;
  const claimNames = operation.volumes.flatMap(({ claim, kept }) => [claim, kept.present, kept.restored]);
  const volumeNames = operation.volumes.flatMap(({ present, restored }) => [present, restored ?? '']);
  const [object, pods, claims, volumes] = await Promise.all([
    client.get<Workload>(kind, { name: workload.name, namespace }, signal),
    client.list(PODS, { namespace }, signal),
    Promise.all(claimNames.map((name) => client.get(CLAIMS, { name, namespace }, signal))),
    Promise.all(volumeNames.map((name) => client.get(VOLUMES, { name }, signal))),
  ]);
  if (object === undefined || object.metadata.uid !== workload.uid) return undefined;
  const names = operation.volumes.map(({ claim }) => claim);
  const holders = pods.items.filter(
    (pod) => !hasEnded(pod) && [...claimsOf(pod).values()].some((claim) => names.includes(claim)),
  );
  return {
    replicas: object.spec.replicas ?? 1,
    deletesWhenScaled: deletesWhenScaled(object),
    holders: holders.map(({ metadata }) => metadata.name),
    ready: pods.items.filter((pod) => isOf(object, pod) && isReady(pod)).length,
    claims: Object.fromEntries(claimNames.map((name, index) => [name, seenClaim(claims[index])])),
    volumes: Object.fromEntries(volumeNames.map((name, index) => [name, seenVolume(volumes[index], namespace)])),
  };
}

/** Does one thing. What was done already, by an earlier run, is no error. */
export async function act(
  { client, clock }: { readonly client: KubeClient; readonly clock: Clock },
  operation: Operation,
  action: Exclude<Action, { readonly do: 'wait' }>,
  signal: AbortSignal,
): Promise<void> {
  const { namespace } = operation;
  if (action.do === 'policy') {
    const change = { spec: { persistentVolumeReclaimPolicy: action.reclaimPolicy } };
    await client.patch(VOLUMES, { name: action.volume }, change, signal);
  } else if (action.do === 'scale') {
    await scale(client, operation, action, signal);
  } else if (action.do === 'release') {
    await client.delete(CLAIMS, { name: action.claim, namespace }, { uid: action.uid }, signal);
  } else if (action.do === 'nudge') {
    const change = { metadata: { annotations: { [ANNOTATIONS.bindingAsked]: clock.now().toISOString() } } };
    await client.patch(CLAIMS, { name: action.claim, namespace }, change, signal);
  } else if (action.do === 'reserve') {
    await client.patch(VOLUMES, { name: action.volume }, reservation(namespace, action.claim), signal);
  } else {
    await makeClaim(client, operation, action, signal);
  }
}

/** The volume stays where it is; without a uid it is of whichever claim has the name. */
function reservation(namespace: string, name: string): object {
  const claimRef = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    namespace,
    name,
    uid: null,
    resourceVersion: null,
  };
  return { metadata: { annotations: { 'pv.kubernetes.io/bound-by-controller': null } }, spec: { claimRef } };
}

async function scale(
  client: KubeClient,
  { namespace, workload }: Operation,
  { replicas, deletesWhenScaled: deletes }: Extract<Action, { readonly do: 'scale' }>,
  signal: AbortSignal,
): Promise<void> {
  const kind = WORKLOAD_KINDS[workload.kind] as Resource<Workload>;
  const ref = { name: workload.name, namespace };
  const there = await client.get(kind, ref, signal);
  if (there === undefined) return;
  // Both in one write: its controller never sees the one without the other.
  const policy = there.spec.persistentVolumeClaimRetentionPolicy as Readonly<Record<string, string>> | undefined;
  const retention =
    deletesWhenScaled(there) === deletes
      ? {}
      : { persistentVolumeClaimRetentionPolicy: { ...policy, whenScaled: deletes ? 'Delete' : 'Retain' } };
  await client.patch(kind, ref, { spec: { replicas, ...retention } }, signal);
}

async function makeClaim(
  client: KubeClient,
  operation: Operation,
  { of, claim, volume: volumeName }: Extract<Action, { readonly do: 'claim' }>,
  signal: AbortSignal,
): Promise<void> {
  const volume = await client.get(VOLUMES, { name: volumeName }, signal);
  if (volume === undefined) return;
  try {
    await client.create(CLAIMS, claimFor(operation, of, claim, volume), signal);
  } catch (thrown) {
    // Made by the workload's controller meanwhile: the volume is reserved for it all the same.
    if (!isAlreadyThere(thrown)) throw thrown;
  }
}

/**
 * A claim of one very volume. The claim's own name keeps the labels and annotations that it had; a name that keeps what is
 * not in use has ours alone: a GitOps tool that found its own on it would remove it as what Git does not have.
 */
export function claimFor(
  operation: Operation,
  of: ExchangedVolume,
  name: string,
  { metadata: { name: volumeName }, spec }: PersistentVolume,
): Omit<Claim, 'apiVersion' | 'kind'> {
  const { storageClassName = '', volumeAttributesClassName, capacity } = spec;
  const own = name === of.claim;
  return {
    metadata: {
      name,
      namespace: operation.namespace,
      labels: own ? of.claimLabels : inPlaceLabels(operation),
      ...(own ? { annotations: of.claimAnnotations } : {}),
    },
    spec: {
      ...fitting(of.claimSpec, capacity?.storage),
      // As the volume has them: a claim of another class would not be bound to it.
      storageClassName,
      ...(volumeAttributesClassName === undefined ? {} : { volumeAttributesClassName }),
      volumeName,
    },
  };
}

function seenClaim(claim: Claim | undefined): SeenClaim | undefined {
  return (
    claim && {
      uid: claim.metadata.uid ?? '',
      volume: claim.spec.volumeName,
      bound: claim.status?.phase === 'Bound',
      deleting: claim.metadata.deletionTimestamp !== undefined,
      ...partsOf(claim),
    }
  );
}

function seenVolume(volume: PersistentVolume | undefined, namespace: string): SeenVolume | undefined {
  const { namespace: of, name, uid } = volume?.spec.claimRef ?? {};
  return (
    volume && {
      reclaimPolicy: volume.spec.persistentVolumeReclaimPolicy ?? 'Delete',
      size: volume.spec.capacity?.storage,
      claim:
        name === undefined
          ? undefined
          : { name: of === namespace ? name : `${of}/${name}`, ...(uid === undefined ? {} : { uid }) },
    }
  );
}
