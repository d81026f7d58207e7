/** Makes an ordinary snapshot of what was cut directly: a content that names the cut, and its VolumeSnapshot. */
import { ANNOTATIONS, type Cut } from '../../src/contract';
import { StillpointError } from '../errors';
import { isAlreadyThere } from '../kube/errors';
import { keptUntilAnswered, type SnapshotContext } from './context';
import { lastingContent } from './direct-contents';
import { cutLost, nameTaken } from './failures';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS, type VolumeSnapshot, type VolumeSnapshotContent } from './objects';
import { cutReady } from './readiness';

/**
 * The cut, once its VolumeSnapshot is bound both ways and ready. Can be done again after a crash at any point: names come
 * from the cut's own UID, and what is there already is looked at before it counts.
 */
export async function adoptedReady(context: SnapshotContext, cut: Cut, signal: AbortSignal): Promise<Cut> {
  const { client, namespace } = context;
  const asked = await client.get(SNAPSHOT_CONTENTS, { name: cut.directContent ?? '' }, signal);
  if (asked === undefined) return await cutReady(context, cut, signal);
  const lasting = lastingContent(asked);
  if (lasting === undefined || lasting.spec.source.snapshotHandle !== cut.handle) {
    throw cutLost(namespace, cut.snapshot);
  }
  const snapshot = await makeBoth(context, asked, lasting);
  const ready = await cutReady(context, { ...cut, uid: snapshot.metadata.uid }, signal);
  if (ready.handle === cut.handle && ready.content === lasting.metadata.name) return ready;
  throw new StillpointError(
    'cut-lost',
    `volume snapshot ${namespace}/${cut.snapshot} is bound to ${ready.content} (${ready.handle}), and the cut is ${cut.handle}`,
  );
}

async function makeBoth(
  context: SnapshotContext,
  asked: VolumeSnapshotContent,
  lasting: Omit<VolumeSnapshotContent, 'apiVersion' | 'kind'>,
): Promise<VolumeSnapshot> {
  const { client } = context;
  try {
    await keptUntilAnswered(context, client.create(SNAPSHOT_CONTENTS, lasting));
  } catch (thrown) {
    if (!isAlreadyThere(thrown)) throw thrown;
  }
  return await keptUntilAnswered(context, makeSnapshot(context, asked, lasting.metadata.name));
}

async function makeSnapshot(
  { client, namespace, className }: SnapshotContext,
  asked: VolumeSnapshotContent,
  contentName: string,
): Promise<VolumeSnapshot> {
  const { labels = {}, annotations = {} } = asked.metadata;
  const name = asked.spec.volumeSnapshotRef.name ?? '';
  const ours = Object.fromEntries(
    Object.entries(annotations).filter(([key]) => Object.values<string>(ANNOTATIONS).includes(key)),
  );
  try {
    return await client.create(VOLUME_SNAPSHOTS, {
      metadata: { name, namespace, labels, annotations: ours },
      spec: {
        source: { volumeSnapshotContentName: contentName },
        ...(className === undefined ? {} : { volumeSnapshotClassName: className }),
      },
    });
  } catch (thrown) {
    if (!isAlreadyThere(thrown)) throw thrown;
    const there = await client.get(VOLUME_SNAPSHOTS, { name, namespace });
    // An earlier pod that came as far as this has made it.
    if (there?.spec.source.volumeSnapshotContentName === contentName) return there;
    throw nameTaken('VolumeSnapshot', namespace, name);
  }
}
