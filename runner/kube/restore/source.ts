/** What a volume is restored from: the backup's VolumeSnapshot as long as it can be used, else the storage's own snapshot. */
import { LABELS } from '../../../src/contract';
import { StillpointError } from '../../errors';
import { recordPath } from '../../output/records';
import type { PlannedVolume, RestorePlan } from '../../restore/plan';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS, type VolumeSnapshot } from '../../snapshots/objects';
import type { KubeClient } from '../client';
import { isForbidden } from '../errors';
import type { HandledCut } from './volumes';

/** Where a volume's data comes from. */
export type Source =
  | { readonly kind: 'snapshot'; readonly name: string }
  | { readonly kind: 'handle'; readonly cut: HandledCut };

/**
 * Finds the source of one volume. Throws backup-not-restorable when there is none: the VolumeSnapshot is gone (with its
 * namespace, perhaps) or is another one by now, and the record does not hold the storage's own name of it.
 */
export async function findSource(
  client: KubeClient,
  plan: RestorePlan,
  volume: PlannedVolume,
  signal: AbortSignal,
): Promise<Source> {
  const { record, namespace } = plan;
  const { cut } = volume;
  // A claim's source must be in its own namespace.
  const snapshot =
    namespace === record.namespace
      ? await client.get(VOLUME_SNAPSHOTS, { name: cut.snapshot, namespace }, signal)
      : undefined;
  if (snapshot !== undefined && (await isRecorded(client, plan, volume, snapshot, signal))) {
    assertReady(snapshot);
    return { kind: 'snapshot', name: cut.snapshot };
  }
  if (cut.driver !== undefined && cut.handle !== undefined) {
    return { kind: 'handle', cut: { driver: cut.driver, handle: cut.handle } };
  }
  const what = `VolumeSnapshot ${record.namespace}/${cut.snapshot}`;
  const lost =
    namespace !== record.namespace
      ? `${what} cannot be used from namespace ${namespace}`
      : snapshot === undefined
        ? `${what} is gone`
        : `${what} is another one than the backup's`;
  throw new StillpointError(
    'backup-not-restorable',
    `backup ${recordPath(record)} cannot be restored: ${lost}, and its record does not hold the storage's own name of it`,
    { hint: 'the handle is recorded where the account of the backup may read VolumeSnapshotContents (clusterScope)' },
  );
}

/** Whether a VolumeSnapshot of the recorded name is the recorded one: its uid, and its handle where that may be read. */
async function isRecorded(
  client: KubeClient,
  { record }: RestorePlan,
  { cut }: PlannedVolume,
  snapshot: VolumeSnapshot,
  signal: AbortSignal,
): Promise<boolean> {
  const { uid, labels } = snapshot.metadata;
  if (cut.uid === undefined ? labels?.[LABELS.backup] !== record.id : uid !== cut.uid) return false;
  const name = snapshot.status?.boundVolumeSnapshotContentName;
  if (name === undefined || cut.handle === undefined) return true;
  const content = await client.get(SNAPSHOT_CONTENTS, { name }, signal).catch((thrown: unknown) => {
    if (isForbidden(thrown)) return undefined;
    throw thrown;
  });
  const handle = content?.status?.snapshotHandle;
  return handle === undefined || handle === cut.handle;
}

function assertReady({ metadata, status }: VolumeSnapshot): void {
  if (status?.readyToUse === true && metadata.deletionTimestamp === undefined) return;
  const why =
    metadata.deletionTimestamp === undefined ? (status?.error?.message ?? 'it is not ready') : 'it is being deleted';
  throw new StillpointError(
    'backup-not-restorable',
    `VolumeSnapshot ${metadata.namespace}/${metadata.name} cannot be restored from: ${why}`,
    { hint: `kubectl describe volumesnapshot ${metadata.name} -n ${metadata.namespace}` },
  );
}
