/** The snapshot API's objects: the fields that are read or written here. */
import type { KubeObject, Resource } from '../kube/resource';

interface StorageError {
  readonly message?: string;
  readonly time?: string;
}

/** An int64: a string where a JavaScript number would lose digits. */
type Int64 = number | string;

export interface VolumeSnapshot extends KubeObject {
  readonly spec: {
    readonly source: { readonly persistentVolumeClaimName?: string; readonly volumeSnapshotContentName?: string };
    readonly volumeSnapshotClassName?: string;
  };
  readonly status?: {
    readonly boundVolumeSnapshotContentName?: string;
    readonly creationTime?: string;
    readonly readyToUse?: boolean;
    readonly restoreSize?: string;
    readonly error?: StorageError;
    readonly volumeGroupSnapshotName?: string;
  };
}

export interface VolumeSnapshotContent extends KubeObject {
  readonly spec: {
    readonly deletionPolicy: 'Delete' | 'Retain';
    readonly driver: string;
    readonly source: { readonly volumeHandle?: string; readonly snapshotHandle?: string };
    readonly sourceVolumeMode?: string;
    readonly volumeSnapshotClassName?: string;
    readonly volumeSnapshotRef: {
      readonly apiVersion?: string;
      readonly kind?: string;
      readonly namespace?: string;
      readonly name?: string;
      readonly uid?: string;
    };
  };
  readonly status?: {
    readonly snapshotHandle?: string;
    /** Nanoseconds since 1970. */
    readonly creationTime?: Int64;
    readonly readyToUse?: boolean;
    readonly restoreSize?: Int64;
    readonly error?: StorageError;
  };
}

export interface SnapshotClass extends KubeObject {
  readonly driver: string;
  readonly deletionPolicy: 'Delete' | 'Retain';
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface VolumeGroupSnapshot extends KubeObject {
  readonly spec: {
    readonly source: { readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> } };
    readonly volumeGroupSnapshotClassName?: string;
  };
  readonly status?: {
    readonly boundVolumeGroupSnapshotContentName?: string;
    readonly creationTime?: string;
    readonly readyToUse?: boolean;
    readonly error?: StorageError;
  };
}

export interface VolumeGroupSnapshotContent extends KubeObject {
  readonly spec: {
    readonly deletionPolicy: 'Delete' | 'Retain';
    readonly driver: string;
    readonly source: { readonly volumeHandles?: readonly string[] };
    readonly volumeGroupSnapshotRef: { readonly namespace?: string; readonly name?: string; readonly uid?: string };
  };
  readonly status?: {
    readonly volumeGroupSnapshotHandle?: string;
    readonly creationTime?: string;
    readonly readyToUse?: boolean;
    readonly error?: StorageError;
    readonly volumeSnapshotInfoList?: readonly {
      readonly volumeHandle?: string;
      readonly snapshotHandle?: string;
      readonly creationTime?: Int64;
      readonly readyToUse?: boolean;
      readonly restoreSize?: Int64;
    }[];
  };
}

const SNAPSHOTS = { group: 'snapshot.storage.k8s.io', version: 'v1' } as const;
const GROUP_API = 'groupsnapshot.storage.k8s.io';

export const VOLUME_SNAPSHOTS: Resource<VolumeSnapshot> = {
  ...SNAPSHOTS,
  kind: 'VolumeSnapshot',
  plural: 'volumesnapshots',
  namespaced: true,
};

export const SNAPSHOT_CONTENTS: Resource<VolumeSnapshotContent> = {
  ...SNAPSHOTS,
  kind: 'VolumeSnapshotContent',
  plural: 'volumesnapshotcontents',
  namespaced: false,
};

export const SNAPSHOT_CLASSES: Resource<SnapshotClass> = {
  ...SNAPSHOTS,
  kind: 'VolumeSnapshotClass',
  plural: 'volumesnapshotclasses',
  namespaced: false,
};

/** The kinds of the group snapshot API, in one of its versions. */
export interface GroupKinds {
  readonly snapshots: Resource<VolumeGroupSnapshot>;
  readonly contents: Resource<VolumeGroupSnapshotContent>;
  readonly classes: Resource<SnapshotClass>;
}

/** v1 came with external-snapshotter 8.6; v1beta2 has the same fields. Older ones do not say what each volume's cut is. */
export const GROUP_VERSIONS = ['v1', 'v1beta2'] as const;

/** The kinds of the group snapshot API in a version. */
export function groupKinds(version: (typeof GROUP_VERSIONS)[number]): GroupKinds {
  const at = { group: GROUP_API, version } as const;
  return {
    snapshots: { ...at, kind: 'VolumeGroupSnapshot', plural: 'volumegroupsnapshots', namespaced: true },
    contents: { ...at, kind: 'VolumeGroupSnapshotContent', plural: 'volumegroupsnapshotcontents', namespaced: false },
    classes: { ...at, kind: 'VolumeGroupSnapshotClass', plural: 'volumegroupsnapshotclasses', namespaced: false },
  };
}

/** On a class: it is taken where none is named. */
export const DEFAULT_CLASS_ANNOTATION = 'snapshot.storage.kubernetes.io/is-default-class';

/** On a content: the storage was asked for a snapshot and has not answered yet. */
export const BEING_CREATED_ANNOTATION = 'snapshot.storage.kubernetes.io/volumesnapshot-being-created';

/** On a content: the controller keeps it until its snapshot has let it go. */
export const CONTENT_FINALIZER = 'snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection';

/** On a content: the Secret that the driver needs to cut, and to delete. */
export const SECRET_ANNOTATIONS = {
  name: 'snapshot.storage.kubernetes.io/deletion-secret-name',
  namespace: 'snapshot.storage.kubernetes.io/deletion-secret-namespace',
} as const;

/** On a group: the controller has bound it, and will see to its deletion. */
export const GROUP_BOUND_FINALIZER = 'groupsnapshot.storage.kubernetes.io/volumegroupsnapshot-bound-protection';

/** The content that the snapshot controller makes for a snapshot of a claim (external-snapshotter, pkg/utils). */
export function contentName(snapshotUid: string): string {
  return `snapcontent-${snapshotUid}`;
}

/** The content that the snapshot controller makes for a group snapshot. */
export function groupContentName(groupUid: string): string {
  return `groupsnapcontent-${groupUid}`;
}
