/**
 * What belongs to a record (safety rule 9): the snapshots that carry our labels, a name of the record's and the UID of
 * its Job, the members of its groups, and the contents that point back at them.
 */
import { ANNOTATIONS, type BackupRecord, LABELS, MANAGED_BY } from '../../src/contract';
import {
  type GroupKinds,
  SNAPSHOT_CONTENTS,
  VOLUME_SNAPSHOTS,
  type VolumeGroupSnapshotContent,
  type VolumeSnapshotContent,
} from '../snapshots/objects';
import type { KubeClient } from './client';
import type { KubeObject, Resource } from './resource';

/** A content that may stand for a cut: what tells whose it is. */
interface Standing extends KubeObject {
  readonly spec: { readonly source?: { readonly snapshotHandle?: string } };
  readonly status?: { readonly snapshotHandle?: string };
}

/** Snapshots or group snapshots, with their contents. */
export interface SnapshotKinds<C extends KubeObject> {
  readonly snapshots: Resource<KubeObject>;
  readonly contents: Resource<C>;
  /** The sidecar deletes nothing on the storage unless it reads this on the content. */
  readonly beingDeleted: string;
  /** The snapshot that a content points back at. */
  readonly refOf: (content: C) => { readonly namespace?: string; readonly name?: string; readonly uid?: string };
}

export const SINGLE_KINDS: SnapshotKinds<VolumeSnapshotContent> = {
  snapshots: VOLUME_SNAPSHOTS,
  contents: SNAPSHOT_CONTENTS,
  beingDeleted: 'snapshot.storage.kubernetes.io/volumesnapshot-being-deleted',
  refOf: ({ spec }) => spec.volumeSnapshotRef,
};

export function groupSnapshotKinds({ snapshots, contents }: GroupKinds): SnapshotKinds<VolumeGroupSnapshotContent> {
  return {
    snapshots,
    contents,
    beingDeleted: 'groupsnapshot.storage.kubernetes.io/volumegroupsnapshot-being-deleted',
    refOf: ({ spec }) => spec.volumeGroupSnapshotRef,
  };
}

/** What a record has of one kind. */
export interface Belongings<C extends KubeObject> {
  readonly snapshots: readonly KubeObject[];
  readonly contents: readonly C[];
}

/** Finds what belongs to a record. */
export async function belongingsOf<C extends KubeObject>(
  client: KubeClient,
  kinds: SnapshotKinds<C>,
  record: BackupRecord,
): Promise<Belongings<C>> {
  const snapshots = [...(await labelled(client, kinds, record)), ...(await members(client, kinds, record))];
  return { snapshots, contents: await contentsOf(client, kinds, record, snapshots) };
}

async function labelled(
  client: KubeClient,
  { snapshots }: Pick<SnapshotKinds<KubeObject>, 'snapshots'>,
  record: BackupRecord,
): Promise<readonly KubeObject[]> {
  const names = namesOf(record);
  const labels = {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.database]: record.database,
    [LABELS.backup]: record.id,
  };
  const { items } = await client.list(snapshots, { namespace: record.namespace, labels });
  return items.filter(({ metadata }) => {
    return names.has(metadata.name) && metadata.annotations?.[ANNOTATIONS.jobUid] === record.owner.jobUid;
  });
}

/** The members of a group carry no labels of ours: the record has their UIDs. */
async function members(
  client: KubeClient,
  { snapshots }: Pick<SnapshotKinds<KubeObject>, 'snapshots'>,
  { namespace, cuts }: BackupRecord,
): Promise<readonly KubeObject[]> {
  if (snapshots.plural !== VOLUME_SNAPSHOTS.plural) return [];
  const found = await Promise.all(
    cuts
      .filter(({ group, snapshot }) => group !== undefined && snapshot !== group)
      .map(async ({ snapshot, uid }) => {
        const object = await client.get(VOLUME_SNAPSHOTS, { name: snapshot, namespace });
        return object?.metadata.uid === uid ? object : undefined;
      }),
  );
  return found.filter((each) => each !== undefined);
}

/**
 * A content is the record's when the snapshot that it points back at is. Where that is gone, its UID has to be one
 * that the record knows; a record that knows none, because its runner was lost, at least has the name.
 */
async function contentsOf<C extends KubeObject>(
  client: KubeClient,
  { contents, snapshots: kind, refOf }: SnapshotKinds<C>,
  record: BackupRecord,
  snapshots: readonly KubeObject[],
): Promise<readonly C[]> {
  const names = namesOf(record);
  const found = snapshots.map(({ metadata }) => metadata.uid);
  const uids = new Set([...recordedUids(record), ...found]);
  uids.delete(undefined);
  const leftovers = new Set(record.leftovers);
  const { items } = await client.list(contents);
  const ours = await Promise.all(
    items.map(async (content) => {
      const { namespace, name = '', uid = '' } = refOf(content);
      if (namespace !== record.namespace || !names.has(name)) return [];
      if (uids.has(uid) || carriesOwner(content, record)) return [content];
      const foreign = await client.get(kind, { name, namespace });
      const named = leftovers.has(objectPath(contents, content)) || uids.size === 0;
      return foreign?.metadata.uid !== uid && named ? [content] : [];
    }),
  );
  return ours.flat();
}

/**
 * The contents that a record lists as left over: of a name of the record's, and of a snapshot that is gone. What holds
 * one of its cuts is never among them, whatever the list says.
 */
export async function leftoversOf<C extends KubeObject>(
  client: KubeClient,
  { contents, snapshots: kind, refOf }: SnapshotKinds<C>,
  record: BackupRecord,
): Promise<readonly C[]> {
  const names = namesOf(record);
  const cuts = new Set(recordedUids(record));
  const leftovers = new Set(record.leftovers);
  const { items } = await client.list(contents);
  const ours = await Promise.all(
    items.map(async (content) => {
      const { namespace, name = '', uid = '' } = refOf(content);
      if (!leftovers.has(objectPath(contents, content)) || cuts.has(uid) || holdsCut(content, record)) return [];
      if (namespace !== record.namespace || !names.has(name)) return [];
      const there = await client.get(kind, { name, namespace });
      return there?.metadata.uid === uid ? [] : [content];
    }),
  );
  return ours.flat();
}

/** The UIDs of all that a record's cuts were asked for by. */
function recordedUids({ cuts }: BackupRecord): readonly (string | undefined)[] {
  return cuts.flatMap(({ uid, groupUid, directUid }) => [uid, groupUid, directUid]);
}

/** Contents that a runner has made itself say whose they are, as snapshots do: a name of the record's they have besides. */
function carriesOwner({ metadata: { labels, annotations } }: KubeObject, record: BackupRecord): boolean {
  const { namespace, database, id, owner } = record;
  return (
    labels?.[LABELS.managedBy] === MANAGED_BY &&
    labels[LABELS.namespace] === namespace &&
    labels[LABELS.database] === database &&
    labels[LABELS.backup] === id &&
    annotations?.[ANNOTATIONS.jobUid] === owner.jobUid
  );
}

/** Whether a content names a snapshot of the storage that is one of the record's cuts: two contents may name the same. */
function holdsCut(content: KubeObject, { cuts }: BackupRecord): boolean {
  const { spec, status } = content as Standing;
  const handles = [status?.snapshotHandle, spec.source?.snapshotHandle].filter((handle) => handle !== undefined);
  return cuts.some(({ handle }) => handle !== undefined && handles.includes(handle));
}

/** Every name that the record's snapshots have, or were going to have. */
function namesOf({ plannedSnapshots, cuts }: BackupRecord): ReadonlySet<string> {
  const cut = cuts.flatMap(({ snapshot, group }) => (group === undefined ? [snapshot] : [snapshot, group]));
  return new Set([...(plannedSnapshots ?? []), ...cut]);
}

/** An object as kubectl writes it: `volumesnapshotcontent/snapcontent-…`. */
export function objectPath(kind: Resource<KubeObject>, { metadata }: KubeObject): string {
  return `${kind.kind.toLowerCase()}/${metadata.name}`;
}
