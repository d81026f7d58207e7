/** Removes the snapshots of a backup that is none, and sees that they are gone. */
import { ANNOTATIONS, LABELS, MANAGED_BY } from '../../src/contract';
import { isForbidden } from '../kube/errors';
import { type ExactObject, untilGone, untilObject } from '../kube/exact-object';
import type { KubeObject, Resource } from '../kube/resource';
import type { Owner, SnapshotContext } from './context';
import { directLeft } from './direct-finding';
import { apiOfGroups } from './group-api';
import {
  contentName,
  GROUP_BOUND_FINALIZER,
  type GroupKinds,
  groupContentName,
  SNAPSHOT_CONTENTS,
  VOLUME_SNAPSHOTS,
  type VolumeGroupSnapshot,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from './objects';
import { SnapshotObserver } from './observer';
import { readContent } from './readiness';
import { isSettled } from './status';

/** A driver may be in the middle of a cut that takes long: how long that is waited for, and how long the removal then. */
const PATIENCE_MS = 60_000;

/** Removes what carries our labels, the Job's UID and one of the names. Names what is still there. */
export async function discard(context: SnapshotContext, owner: Owner): Promise<readonly string[]> {
  await Promise.all(context.unanswered);
  const left = await Promise.all([discardSnapshots(context, owner), discardGroups(context, owner)]);
  return [...new Set([...left.flat(), ...(await directLeft(context, owner))])];
}

async function discardSnapshots(context: SnapshotContext, owner: Owner): Promise<readonly string[]> {
  const ours = await listOurs(context, VOLUME_SNAPSHOTS, owner);
  const left = await Promise.all([
    ...ours.map((snapshot) => discardSnapshot(context, snapshot)),
    ...goneBefore(context, owner, ours).map((uid) => contentLeft(context, contentName(uid))),
  ]);
  return left.flat();
}

/** The UIDs of those that this process made and somebody has deleted: their contents may still be there. */
function goneBefore({ created }: SnapshotContext, { names }: Owner, ours: readonly VolumeSnapshot[]): string[] {
  const there = new Set(ours.map(({ metadata }) => metadata.name));
  return names.flatMap((name) => (there.has(name) ? [] : (created.get(name) ?? [])));
}

async function discardSnapshot(context: SnapshotContext, snapshot: VolumeSnapshot): Promise<readonly string[]> {
  const { name, namespace, uid = '' } = snapshot.metadata;
  await untilSettled(context, snapshot);
  if (!(await deleteAndWait(context, VOLUME_SNAPSHOTS, { name, namespace, uid }))) return [`volumesnapshot/${name}`];
  return contentLeft(context, snapshot.status?.boundVolumeSnapshotContentName ?? contentName(uid));
}

/** Waits, but not for ever, until the storage has answered: only then is a deletion a clean one. */
async function untilSettled(context: SnapshotContext, first: VolumeSnapshot): Promise<void> {
  const settled = Promise.withResolvers<void>();
  const watching = new AbortController();
  const timer = context.clock.after(PATIENCE_MS, () => settled.resolve());
  let snapshot = first;
  let content: VolumeSnapshotContent | undefined;
  const look = (): void => {
    const gone = snapshot.metadata.deletionTimestamp !== undefined;
    if (gone || isSettled(snapshot, content)) settled.resolve();
  };
  const observer = new SnapshotObserver(
    context,
    {
      changed: (seen) => {
        snapshot = seen;
        look();
      },
      gone: () => settled.resolve(),
      contentChanged: (seen) => {
        content = seen;
        look();
      },
      failed: (error) => settled.reject(error),
    },
    watching.signal,
  );
  try {
    content = await readContent(context, contentName(first.metadata.uid ?? ''));
    look();
    observer.watchSnapshots({ fields: { 'metadata.name': first.metadata.name } });
    observer.watchContentOf(first);
    await settled.promise;
  } finally {
    timer.cancel();
    watching.abort();
  }
}

/** A class that retains keeps the content; one that deletes may still be about it. */
async function contentLeft(context: SnapshotContext, name: string): Promise<readonly string[]> {
  const { client, clock } = context;
  const left = [`volumesnapshotcontent/${name}`];
  const content = await ifReadable(() => client.get(SNAPSHOT_CONTENTS, { name }));
  // What may be there is named: the pruner, who may look, finds it or finds it gone.
  if (content === 'unreadable') return left;
  if (content === undefined) return [];
  if (content.spec.deletionPolicy === 'Retain') return left;
  const exact = { name, uid: content.metadata.uid ?? '' };
  return (await untilGone(client, SNAPSHOT_CONTENTS, exact, { clock, ms: PATIENCE_MS })) ? [] : left;
}

async function discardGroups(context: SnapshotContext, owner: Owner): Promise<readonly string[]> {
  const { client, groupClassName } = context;
  if (groupClassName === undefined) return [];
  const kinds = await apiOfGroups(client);
  if (kinds === undefined) return [];
  const ours = await listOurs(context, kinds.snapshots, owner);
  const left = await Promise.all(
    ours.map(async ({ metadata, status }) => {
      const exact = { name: metadata.name, namespace: metadata.namespace, uid: metadata.uid ?? '' };
      await untilBound(context, kinds, exact);
      if (!(await deleteAndWait(context, kinds.snapshots, exact))) return [`volumegroupsnapshot/${metadata.name}`];
      const name = status?.boundVolumeGroupSnapshotContentName ?? groupContentName(exact.uid);
      const content = await ifReadable(() => client.get(kinds.contents, { name }));
      return content === undefined ? [] : [`volumegroupsnapshotcontent/${name}`];
    }),
  );
  return left.flat();
}

/** A group that is deleted before the controller has bound it leaves its content behind (external-snapshotter 8.6). */
async function untilBound({ client, clock }: SnapshotContext, kinds: GroupKinds, exact: ExactObject): Promise<void> {
  const bound = (group: VolumeGroupSnapshot | undefined): boolean =>
    group === undefined ||
    group.status?.error !== undefined ||
    group.metadata.finalizers?.includes(GROUP_BOUND_FINALIZER) === true;
  await untilObject(client, kinds.snapshots, exact, bound, { clock, ms: PATIENCE_MS });
}

async function listOurs<T extends KubeObject>(
  { client, namespace }: SnapshotContext,
  kind: Resource<T>,
  { id, jobUid, pod, names }: Owner,
): Promise<readonly T[]> {
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.backup]: id };
  const { items } = await client.list(kind, { namespace, labels });
  return items.filter(({ metadata: { name, annotations } }) => {
    if (!names.includes(name) || annotations?.[ANNOTATIONS.jobUid] !== jobUid) return false;
    return pod === undefined || annotations[ANNOTATIONS.pod] === pod;
  });
}

async function deleteAndWait<T extends KubeObject>(
  { client, clock }: SnapshotContext,
  kind: Resource<T>,
  exact: ExactObject,
): Promise<boolean> {
  await client.delete(kind, exact, { uid: exact.uid });
  return untilGone(client, kind, exact, { clock, ms: PATIENCE_MS });
}

async function ifReadable<T>(read: () => Promise<T>): Promise<T | 'unreadable'> {
  try {
    return await read();
  } catch (thrown) {
    if (isForbidden(thrown)) return 'unreadable';
    throw thrown;
  }
}
