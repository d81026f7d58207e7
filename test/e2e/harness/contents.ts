/** What classes that retain would keep on the storage for ever: the disk is this machine's. */
import { type Anything, KINDS, type Kind, list, patch, read, remove } from './cluster';

interface ContentKind {
  readonly content: Kind;
  readonly owner: Kind;
  ownerOf(content: Anything): { readonly namespace: string; readonly name: string; readonly uid?: string };
  /** The annotation without which the sidecar waits, when there is nobody to let the content go. */
  readonly beingDeleted: string;
}

/** Those of groups first: what is on the storage for a member of a group goes with the group alone. */
const CONTENT_KINDS: readonly ContentKind[] = [
  {
    content: KINDS.groupSnapshotContent,
    owner: KINDS.groupSnapshot,
    ownerOf: ({ spec }) => spec.volumeGroupSnapshotRef,
    beingDeleted: 'groupsnapshot.storage.kubernetes.io/volumegroupsnapshot-being-deleted',
  },
  {
    content: KINDS.snapshotContent,
    owner: KINDS.snapshot,
    ownerOf: ({ spec }) => spec.volumeSnapshotRef,
    beingDeleted: 'snapshot.storage.kubernetes.io/volumesnapshot-being-deleted',
  },
];

/** The contents of a namespace's snapshots, as `VolumeSnapshotContent of orders-db-data-…`: they are called after a UID. */
export async function contentsOf(namespace: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { content, ownerOf } of CONTENT_KINDS) {
    const owners = (await list(content)).map(ownerOf).filter((owner) => owner.namespace === namespace);
    names.push(...owners.map(({ name }) => `${content.kind} of ${name}`));
  }
  return names;
}

/** Lets the storage delete the snapshots and volumes of some namespaces, at once or with the objects that have them. */
export async function forgetContents(isOf: (namespace: string) => boolean): Promise<void> {
  for (const kind of CONTENT_KINDS) {
    for (const content of await list(kind.content)) {
      if (isOf(kind.ownerOf(content).namespace)) await forgetContent(kind, content);
    }
  }
  for (const { metadata, spec } of await list(KINDS.volume)) {
    if (!isOf(spec.claimRef?.namespace ?? '')) continue;
    await patch(KINDS.volume, metadata?.name ?? '', '', { spec: { persistentVolumeReclaimPolicy: 'Delete' } });
  }
}

async function forgetContent(kind: ContentKind, content: Anything): Promise<void> {
  const name = content.metadata?.name ?? '';
  await patch(kind.content, name, '', { spec: { deletionPolicy: 'Delete' } });
  const { name: ownerName, namespace, uid } = kind.ownerOf(content);
  const owner = await read(kind.owner, ownerName, namespace);
  if (owner !== undefined && owner.metadata?.uid === uid) return;
  await patch(kind.content, name, '', { metadata: { annotations: { [kind.beingDeleted]: 'yes' } } });
  await remove(kind.content, name);
}

/** Lets the members of groups go that are gone: the controller forgets those that it had not yet seen ready. */
export async function forgetMembers(namespace: string): Promise<void> {
  for (const { metadata } of await list(KINDS.snapshot, namespace)) {
    const group = metadata?.ownerReferences?.find(({ kind }) => kind === KINDS.groupSnapshot.kind);
    if (metadata?.deletionTimestamp === undefined || group === undefined) continue;
    if ((await read(KINDS.groupSnapshot, group.name, namespace)) !== undefined) continue;
    await patch(KINDS.snapshot, metadata.name ?? '', namespace, { metadata: { finalizers: null } });
  }
}
