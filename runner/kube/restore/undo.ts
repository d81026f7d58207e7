/** What there is of a restore, found by its labels, and by what its claims name: so it works after any crash, and touches nothing else. */
import { StillpointError } from '../../errors';
import type { UndoneRestore } from '../../restore/site';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS } from '../../snapshots/objects';
import type { KubeClient } from '../client';
import { isForbidden } from '../errors';
import { CLAIMS, type Claim, CONFIG_MAPS, JOBS, PODS, type Pod, VOLUMES } from '../objects';
import type { KubeObject, Resource } from '../resource';
import { untilGone, type Waiting } from '../until';
import { findCompanions } from './companions';
import { restoreSelector } from './labels';

/** An object of a restore, with its kind. */
export interface Found<T extends KubeObject = KubeObject> {
  readonly kind: Resource<T>;
  readonly what: string;
  readonly object: T;
}

/** All that a restore has made, in the order in which it is removed: first what a control plane makes a database of. */
export async function findAllOf(client: KubeClient, namespace: string, name: string): Promise<readonly Found[]> {
  const found = await findRestore(client, namespace, name);
  return [...(await findCompanions(client, { namespace, name }, claimsIn(found))), ...found];
}

/** What carries its labels, in the order in which it is removed: who uses the volumes first, what tells of the restore last. */
export async function findRestore(client: KubeClient, namespace: string, name: string): Promise<readonly Found[]> {
  const find = async <T extends KubeObject>(kind: Resource<T>, what: string): Promise<Found<T>[]> => {
    const { items } = await client.list(kind, { namespace, labels: restoreSelector(name) });
    return items.map((object) => ({ kind, what, object }));
  };
  const [pods, jobs, claims, snapshots, contents, journals] = await Promise.all([
    find(PODS, 'pod'),
    find(JOBS, 'Job'),
    find(CLAIMS, 'claim'),
    find(VOLUME_SNAPSHOTS, 'VolumeSnapshot'),
    findContents(client, namespace, name),
    find(CONFIG_MAPS, 'ConfigMap'),
  ]);
  // The pods of the Job go with it.
  const own = pods.filter(({ object }) => object.metadata.ownerReferences === undefined);
  return [...own, ...jobs, ...claims, ...snapshots, ...contents, ...journals] as readonly Found[];
}

function claimsIn(found: readonly Found[]): readonly Claim[] {
  return found.filter(({ kind }) => kind.kind === CLAIMS.kind).map(({ object }) => object as Claim);
}

/** As `claim shop/copy`. */
export function nameOfFound({ what, object }: Found): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? `${what} ${name}` : `${what} ${namespace}/${name}`;
}

/** What else is to be known of who uses a restore's claims. */
export interface UndoMore {
  /** Done when it is clear that all may go, before anything of the restore does. */
  readonly first?: () => Promise<void>;
  /** Pods that may be on the claims: {@link first} removes them. */
  readonly isOwn?: (pod: Pod) => boolean;
}

/**
 * Removes all of it, and waits until it is gone. Refuses when a pod of somebody else's uses one of its claims: it is
 * somebody's database by now.
 */
export async function undoRestore(
  waiting: Waiting,
  namespace: string,
  name: string,
  { first, isOwn = () => false }: UndoMore = {},
): Promise<UndoneRestore> {
  const { client } = waiting;
  const found = await findAllOf(client, namespace, name);
  const claims = claimsIn(found);
  await assertUnused(client, namespace, claims, name, isOwn);
  const kept = await retainedVolumes(client, claims);
  await first?.();
  for (const each of found) await remove(waiting, each);
  return { removed: found.map(nameOfFound), kept };
}

/** Deletes one object, that very one, and waits until it is gone. */
export async function remove<T extends KubeObject>(
  waiting: Waiting,
  { kind, object }: Pick<Found<T>, 'kind' | 'object'>,
): Promise<void> {
  const { name, namespace, uid } = object.metadata;
  const options = { uid, propagation: 'Foreground' } as const;
  if (await waiting.client.delete(kind, { name, namespace }, options, waiting.signal)) {
    await untilGone(waiting, kind, object);
  }
}

/** Contents have no namespace: those of a restore of the same name in another namespace are not ours. */
async function findContents(client: KubeClient, namespace: string, name: string): Promise<Found[]> {
  const listed = await client.list(SNAPSHOT_CONTENTS, { labels: restoreSelector(name) }).catch((thrown: unknown) => {
    // Who may not list contents has not made any.
    if (isForbidden(thrown)) return { items: [] };
    throw thrown;
  });
  return listed.items
    .filter(({ spec }) => spec.volumeSnapshotRef.namespace === namespace)
    .map((object) => ({ kind: SNAPSHOT_CONTENTS, what: 'VolumeSnapshotContent', object }));
}

async function assertUnused(
  client: KubeClient,
  namespace: string,
  claims: readonly Claim[],
  name: string,
  isOwn: (pod: Pod) => boolean,
): Promise<void> {
  if (claims.length === 0) return;
  const { items } = await client.list(PODS, { namespace });
  const names = claims.map(({ metadata }) => metadata.name);
  for (const pod of items) {
    if (isOwnPod(pod, name) || isOwn(pod) || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed')
      continue;
    const used = pod.spec.volumes?.find(({ persistentVolumeClaim: claim }) => names.includes(claim?.claimName ?? ''));
    if (used === undefined) continue;
    throw new StillpointError(
      'delete-refused',
      `claim ${namespace}/${used.persistentVolumeClaim?.claimName} of restore ${name} is in use by pod ${pod.metadata.name}`,
      { hint: 'end that pod (scale its workload down) first, if the restored copy is really to go' },
    );
  }
}

function isOwnPod({ metadata }: Pod, name: string): boolean {
  return Object.entries(restoreSelector(name)).every(([label, value]) => metadata.labels?.[label] === value);
}

/** Volumes that their class keeps when the claims go: that was the platform team's wish, so it is only said. */
async function retainedVolumes(client: KubeClient, claims: readonly Claim[]): Promise<string[]> {
  const kept: string[] = [];
  for (const { spec } of claims) {
    if (spec.volumeName === undefined) continue;
    const volume = await client.get(VOLUMES, { name: spec.volumeName }).catch((thrown: unknown) => {
      if (isForbidden(thrown)) return undefined;
      throw thrown;
    });
    if (volume?.spec.persistentVolumeReclaimPolicy === 'Retain') kept.push(`persistentvolume ${spec.volumeName}`);
  }
  return kept;
}
