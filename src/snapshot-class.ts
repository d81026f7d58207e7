import { Construct } from 'constructs';
import {
  VolumeGroupSnapshotClass as GroupClassObject,
  VolumeGroupSnapshotClassDeletionPolicy,
} from './imports/groupsnapshot.storage.k8s.io';
import {
  VolumeSnapshotClass as ClassObject,
  VolumeSnapshotClassDeletionPolicy,
} from './imports/snapshot.storage.k8s.io';
import { noNamespace, takeName } from './objects';

/** What becomes of a snapshot's content when its VolumeSnapshot is deleted. */
export enum SnapshotDeletionPolicy {
  /** The storage keeps it: a namespace deleted by mistake does not take its backups along. */
  RETAIN = 'Retain',
  /** The storage deletes it. */
  DELETE = 'Delete',
}

/** A VolumeSnapshotClass, made here or there already. */
export interface ISnapshotClass {
  /** Its name; undefined stands for the cluster's default class of the volumes' driver. */
  readonly snapshotClassName?: string;
}

/** A VolumeGroupSnapshotClass, made here or there already. */
export interface IGroupSnapshotClass {
  /** Its name. */
  readonly groupSnapshotClassName: string;
}

/** Properties of a {@link GroupSnapshotClass}. */
export interface GroupSnapshotClassProps {
  /** The CSI driver that cuts the snapshots, as `ebs.csi.aws.com`. It has to be that of the volumes. */
  readonly driver: string;

  /**
   * The class's name.
   *
   * @default - the construct's id
   */
  readonly name?: string;

  /**
   * What becomes of a snapshot's content when its VolumeSnapshot is deleted.
   *
   * @default SnapshotDeletionPolicy.RETAIN
   */
  readonly deletionPolicy?: SnapshotDeletionPolicy;

  /**
   * Parameters that the driver knows.
   *
   * @default - none
   */
  readonly parameters?: { [key: string]: string };
}

/** Properties of a {@link SnapshotClass}. */
export interface SnapshotClassProps extends GroupSnapshotClassProps {
  /**
   * Whether it is the class of snapshots of its driver that name none.
   *
   * @default false
   */
  readonly isDefault?: boolean;
}

/**
 * The class that snapshots are made with. It keeps their contents unless it is told otherwise.
 *
 * @example
 * new SnapshotClass(chart, 'retained', { driver: 'ebs.csi.aws.com' });
 */
export class SnapshotClass extends Construct implements ISnapshotClass {
  /** A class that is there already. One that does not retain loses its snapshots with their namespace. */
  public static fromName(snapshotClassName: string): ISnapshotClass {
    return { snapshotClassName };
  }

  /** The cluster's default class for the volumes' driver, whatever it is when the backup is taken. */
  public static fromClusterDefault(): ISnapshotClass {
    return {};
  }

  /** The class's name. */
  public readonly snapshotClassName: string;

  constructor(scope: Construct, id: string, props: SnapshotClassProps) {
    super(scope, id);
    this.snapshotClassName = props.name ?? id;
    takeName(this, 'VolumeSnapshotClass', this.snapshotClassName);
    new ClassObject(this, 'Resource', {
      metadata: {
        name: this.snapshotClassName,
        namespace: noNamespace(),
        ...(props.isDefault === true
          ? { annotations: { 'snapshot.storage.kubernetes.io/is-default-class': 'true' } }
          : {}),
      },
      driver: props.driver,
      deletionPolicy:
        props.deletionPolicy === SnapshotDeletionPolicy.DELETE
          ? VolumeSnapshotClassDeletionPolicy.DELETE
          : VolumeSnapshotClassDeletionPolicy.RETAIN,
      ...(props.parameters === undefined ? {} : { parameters: props.parameters }),
    });
  }
}

/** The class that group snapshots are made with: several volumes cut at one instant by the storage. */
export class GroupSnapshotClass extends Construct implements IGroupSnapshotClass {
  /** A class that is there already. */
  public static fromName(groupSnapshotClassName: string): IGroupSnapshotClass {
    return { groupSnapshotClassName };
  }

  /** The class's name. */
  public readonly groupSnapshotClassName: string;

  constructor(scope: Construct, id: string, props: GroupSnapshotClassProps) {
    super(scope, id);
    this.groupSnapshotClassName = props.name ?? id;
    takeName(this, 'VolumeGroupSnapshotClass', this.groupSnapshotClassName);
    new GroupClassObject(this, 'Resource', {
      metadata: { name: this.groupSnapshotClassName, namespace: noNamespace() },
      driver: props.driver,
      deletionPolicy:
        props.deletionPolicy === SnapshotDeletionPolicy.DELETE
          ? VolumeGroupSnapshotClassDeletionPolicy.DELETE
          : VolumeGroupSnapshotClassDeletionPolicy.RETAIN,
      ...(props.parameters === undefined ? {} : { parameters: props.parameters }),
    });
  }
}
