/** The storage objects of a restore. Pure: a plan in, manifests out. */
import { LABELS, restoreContentName, restoreSnapshotName } from '../../../src/contract';
import type { PlannedVolume, RestorePlan } from '../../restore/plan';
import type { VolumeSnapshot, VolumeSnapshotContent } from '../../snapshots/objects';
import type { Claim } from '../objects';
import { ownLabels } from './labels';

type New<T> = Omit<T, 'apiVersion' | 'kind'>;

/** A cut of which enough is known to make a content of it, whatever became of the VolumeSnapshot. */
export interface HandledCut {
  readonly driver: string;
  readonly handle: string;
}

/** The claim of one volume, filled from a VolumeSnapshot beside it. */
export function claimOf(plan: RestorePlan, volume: PlannedVolume, snapshot: string): New<Claim> {
  return {
    metadata: { name: volume.claim, namespace: plan.namespace, labels: volumeLabels(plan, volume) },
    spec: {
      accessModes: volume.accessModes,
      ...(volume.storageClass === undefined ? {} : { storageClassName: volume.storageClass }),
      ...(volume.size === undefined ? {} : { resources: { requests: { storage: volume.size } } }),
      // Not `dataSource`: what is wrong with that one is dropped without a word, and the claim comes up empty.
      dataSourceRef: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: snapshot },
    },
  };
}

/**
 * A content for a snapshot that the storage has already. `Retain`: when the restore removes it again, the storage keeps
 * the snapshot, which belongs to the backup.
 */
export function contentOf(plan: RestorePlan, volume: PlannedVolume, cut: HandledCut): New<VolumeSnapshotContent> {
  return {
    metadata: {
      name: restoreContentName(plan.namespace, plan.name, volume.name),
      labels: volumeLabels(plan, volume),
    },
    spec: {
      deletionPolicy: 'Retain',
      driver: cut.driver,
      source: { snapshotHandle: cut.handle },
      sourceVolumeMode: 'Filesystem',
      volumeSnapshotRef: { namespace: plan.namespace, name: restoreSnapshotName(plan.name, volume.name) },
    },
  };
}

/** The VolumeSnapshot of that content. */
export function snapshotOf(plan: RestorePlan, volume: PlannedVolume): New<VolumeSnapshot> {
  return {
    metadata: {
      name: restoreSnapshotName(plan.name, volume.name),
      namespace: plan.namespace,
      labels: volumeLabels(plan, volume),
    },
    spec: { source: { volumeSnapshotContentName: restoreContentName(plan.namespace, plan.name, volume.name) } },
  };
}

function volumeLabels(plan: RestorePlan, volume: PlannedVolume): Readonly<Record<string, string>> {
  return { ...ownLabels(plan), [LABELS.volume]: volume.name };
}
