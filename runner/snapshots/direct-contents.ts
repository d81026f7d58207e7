/**
 * The two contents of a snapshot that is cut without the snapshot controller (docs/decisions/0033-direct-cuts.md): the
 * one by which the storage is asked, and the one that stands for the cut ever after. Pure.
 */
import { cutContentName, directContentName, LABELS } from '../../src/contract';
import { StillpointError } from '../errors';
import type { CutRequest, Volume } from '../ports';
import {
  BEING_CREATED_ANNOTATION,
  CONTENT_FINALIZER,
  SECRET_ANNOTATIONS,
  type SnapshotClass,
  type VolumeSnapshotContent,
} from './objects';

type NewContent = Omit<VolumeSnapshotContent, 'apiVersion' | 'kind'>;

/** What a direct cut is asked for with. */
export interface DirectRequest extends Pick<CutRequest, 'labels' | 'annotations'> {
  readonly volume: Volume;
  /** The name that its VolumeSnapshot is going to have. */
  readonly snapshot: string;
  /** Made up for this one cut: the storage takes two requests with the same UID for one, and answers with the old cut. */
  readonly uid: string;
}

const SNAPSHOT_KIND = { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshot' } as const;

/**
 * The content that makes the CSI sidecar cut. It looks as one of the snapshot controller's (external-snapshotter 8.6,
 * createSnapshotContent), for a snapshot of a UID that nobody has: so the controller leaves it alone. Two things are
 * there from the beginning that others would add in slow requests of their own: the finalizer, and the word that the
 * storage is being asked.
 */
export function cutContent(
  { volume, snapshot, uid, labels, annotations }: DirectRequest,
  { metadata: { name: className }, driver, parameters }: SnapshotClass,
): NewContent {
  const { namespace, volumeHandle, volumeMode } = volume;
  if (volumeHandle === undefined) {
    throw new StillpointError('cut-failed', `the handle of claim ${namespace}/${volume.claim} is not known`);
  }
  const name = cutContentName(uid);
  return {
    metadata: {
      name,
      // A content has no namespace of its own: whose it is stands in its labels.
      labels: { ...labels, [LABELS.namespace]: namespace, [LABELS.volume]: volume.name },
      annotations: {
        ...annotations,
        ...secretAnnotations(parameters ?? {}, { content: name, snapshot, namespace }),
        [BEING_CREATED_ANNOTATION]: 'yes',
      },
      finalizers: [CONTENT_FINALIZER],
    },
    spec: {
      deletionPolicy: 'Retain',
      driver,
      source: { volumeHandle },
      ...(volumeMode === undefined ? {} : { sourceVolumeMode: volumeMode }),
      volumeSnapshotClassName: className,
      volumeSnapshotRef: { ...SNAPSHOT_KIND, namespace, name: snapshot, uid },
    },
  };
}

/** The content that stands for a cut ever after, in the pre-provisioned way; undefined before the storage has answered. */
export function lastingContent({ metadata, spec, status }: VolumeSnapshotContent): NewContent | undefined {
  const snapshotHandle = status?.snapshotHandle;
  if (snapshotHandle === undefined) return undefined;
  const { [BEING_CREATED_ANNOTATION]: _, ...annotations } = metadata.annotations ?? {};
  const { namespace, name, uid = '' } = spec.volumeSnapshotRef;
  return {
    metadata: { name: directContentName(uid), labels: metadata.labels ?? {}, annotations },
    spec: {
      deletionPolicy: 'Retain',
      driver: spec.driver,
      source: { snapshotHandle },
      ...(spec.sourceVolumeMode === undefined ? {} : { sourceVolumeMode: spec.sourceVolumeMode }),
      ...(spec.volumeSnapshotClassName === undefined ? {} : { volumeSnapshotClassName: spec.volumeSnapshotClassName }),
      volumeSnapshotRef: { ...SNAPSHOT_KIND, namespace: namespace ?? '', name: name ?? '' },
    },
  };
}

/** The Secret that a class names for its driver, with the templates filled in that Kubernetes documents for it. */
export function secretAnnotations(
  parameters: Readonly<Record<string, string>>,
  names: { readonly content: string; readonly snapshot: string; readonly namespace: string },
): Readonly<Record<string, string>> {
  const secret = parameters['csi.storage.k8s.io/snapshotter-secret-name'];
  const namespace = parameters['csi.storage.k8s.io/snapshotter-secret-namespace'];
  if (secret === undefined || namespace === undefined) return {};
  const values: Readonly<Record<string, string>> = {
    'volumesnapshotcontent.name': names.content,
    'volumesnapshot.name': names.snapshot,
    'volumesnapshot.namespace': names.namespace,
  };
  const filled = (template: string): string => template.replace(/\$\{([^}]*)\}/g, (all, name) => values[name] ?? all);
  return { [SECRET_ANNOTATIONS.name]: filled(secret), [SECRET_ANNOTATIONS.namespace]: filled(namespace) };
}
