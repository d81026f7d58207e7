/** The objects of an import. Pure: a plan in, manifests out. Nothing in them but the handle and the driver is the file's. */
import { ANNOTATIONS, COMPONENTS, LABELS, MANAGED_BY } from '../../../src/contract';
import { secretAnnotations } from '../../snapshots/direct-contents';
import type { VolumeSnapshot, VolumeSnapshotContent } from '../../snapshots/objects';
import type { ImportPlan, PlannedImport } from '../../travel/plan';
import type { ImportClass } from '../../travel/site';
import type { KubeObject } from '../resource';

type New<T> = Omit<T, 'apiVersion' | 'kind'>;

/** `Retain`: what the storage holds belongs to whoever took the backup, also when all of this is deleted. */
export function contentOf(plan: ImportPlan, planned: PlannedImport, found: ImportClass): New<VolumeSnapshotContent> {
  const { namespace } = plan.record;
  const { snapshot, content, driver, handle, volumeMode } = planned;
  return {
    metadata: {
      name: content,
      labels: labelsOf(plan, planned),
      annotations: {
        ...ownAnnotations(plan),
        ...secretAnnotations(found.parameters, { content, snapshot, namespace }),
      },
    },
    spec: {
      deletionPolicy: 'Retain',
      driver,
      source: { snapshotHandle: handle },
      sourceVolumeMode: volumeMode,
      volumeSnapshotClassName: found.name,
      volumeSnapshotRef: { namespace, name: snapshot },
    },
  };
}

export function snapshotOf(plan: ImportPlan, planned: PlannedImport, found: ImportClass): New<VolumeSnapshot> {
  return {
    metadata: {
      name: planned.snapshot,
      namespace: plan.record.namespace,
      labels: labelsOf(plan, planned),
      annotations: ownAnnotations(plan),
    },
    spec: { source: { volumeSnapshotContentName: planned.content }, volumeSnapshotClassName: found.name },
  };
}

/** What an import's objects are told by; of any import when no plan is given. */
export function isImport({ metadata: { labels = {}, annotations = {} } }: KubeObject, plan?: ImportPlan): boolean {
  if (annotations[ANNOTATIONS.importedFrom] === undefined || labels[LABELS.managedBy] !== MANAGED_BY) return false;
  if (plan === undefined) return true;
  const own = Object.entries(ownLabels(plan)).every(([name, value]) => labels[name] === value);
  return own && annotations[ANNOTATIONS.jobUid] === plan.record.owner.jobUid;
}

/** Those of a snapshot that was taken here: whatever looks for a backup's snapshots finds these too. */
function ownLabels({ record }: ImportPlan): Readonly<Record<string, string>> {
  return {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.component]: COMPONENTS.snapshot,
    [LABELS.engine]: record.engine,
    [LABELS.database]: record.database,
    [LABELS.namespace]: record.namespace,
    [LABELS.backup]: record.id,
  };
}

function labelsOf(plan: ImportPlan, { volume }: PlannedImport): Readonly<Record<string, string>> {
  return { ...ownLabels(plan), [LABELS.volume]: volume };
}

function ownAnnotations({ record }: ImportPlan): Readonly<Record<string, string>> {
  const { clusterUid, namespace, database } = record.imported?.from ?? {};
  const from = [clusterUid, namespace, database].filter((part) => part !== undefined).join('/');
  return {
    [ANNOTATIONS.jobUid]: record.owner.jobUid,
    [ANNOTATIONS.importedFrom]: from === '' ? 'a bare handle' : from,
  };
}
