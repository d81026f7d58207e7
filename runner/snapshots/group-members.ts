/** Finds the snapshots that the controller has made of a group's volumes. */
import type { Cut } from '../../src/contract';
import { watchObjects } from '../kube/watch';
import type { SnapshotContext } from './context';
import { apiOfGroups } from './group-api';
import { VOLUME_SNAPSHOTS, type VolumeSnapshot } from './objects';
import { cutReady } from './readiness';

/** A group's cut, once its member is there and ready; the member takes the group's place in it. */
export async function memberReady(context: SnapshotContext, cut: Cut, signal: AbortSignal): Promise<Cut> {
  const member = cut.snapshot === cut.group ? await findMember(context, cut, signal) : cut;
  return cutReady(context, member, signal);
}

/** The cuts whose group is there, and the very one: the members carry no labels to be found by. */
export async function groupsThere(
  { client, namespace }: SnapshotContext,
  cuts: readonly Cut[],
): Promise<readonly Cut[]> {
  const names = new Set(cuts.flatMap(({ group }) => group ?? []));
  const kinds = names.size === 0 ? undefined : await apiOfGroups(client);
  if (kinds === undefined) return [];
  const groups = await Promise.all([...names].map((name) => client.get(kinds.snapshots, { name, namespace })));
  const there = groups.filter((group) => group !== undefined && group.metadata.deletionTimestamp === undefined);
  const uids = new Set(there.map((group) => group?.metadata.uid));
  return cuts.filter(({ group, groupUid }) => group !== undefined && groupUid !== undefined && uids.has(groupUid));
}

/** A member is owned by its group and has the claim for its source: both are the controller's doing. */
async function findMember(context: SnapshotContext, cut: Cut, signal: AbortSignal): Promise<Cut> {
  signal.throwIfAborted();
  const { client, namespace, clock } = context;
  const found = Promise.withResolvers<VolumeSnapshot>();
  const watching = new AbortController();
  const seen = (snapshot: VolumeSnapshot): void => {
    const owned = (snapshot.metadata.ownerReferences ?? []).some(({ uid }) => uid === cut.groupUid);
    if (owned && snapshot.spec.source.persistentVolumeClaimName === cut.claim) found.resolve(snapshot);
  };
  watchObjects(
    client,
    VOLUME_SNAPSHOTS,
    { namespace },
    { seen },
    {
      signal: AbortSignal.any([signal, watching.signal]),
      clock,
    },
  ).then(
    () => found.reject(signal.reason),
    (thrown: unknown) => found.reject(thrown),
  );
  try {
    const { name, uid } = (await found.promise).metadata;
    return { ...cut, snapshot: name, uid };
  } finally {
    watching.abort();
  }
}
