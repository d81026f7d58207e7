import type { IPersistentVolumeClaim } from 'cdk8s-plus-28';
import { statefulSetClaimName, type VolumeSelection } from './contract';

/** What lies on a volume. */
export enum VolumeRole {
  /** The database's files. */
  DATA = 'data',
  /** The write-ahead log, where it has a volume of its own. */
  LOG = 'log',
  /** A tablespace. */
  TABLESPACE = 'tablespace',
}

/** What is said of a volume, however it is found. */
export interface BackupVolumeOptions {
  /**
   * What lies on the volume.
   *
   * @default VolumeRole.DATA
   */
  readonly role?: VolumeRole;

  /**
   * The volume's name in the backup: its snapshots are called `<database>-<name>-<id>`, and a restore names it.
   *
   * @default - the role for data and log; for a tablespace the claim's name, which is known only when the claim is named
   */
  readonly name?: string;
}

/** How a StatefulSet's claim is told from the others. */
export interface StatefulSetVolumeOptions extends BackupVolumeOptions {
  /**
   * The ordinal of the pod whose claim it is.
   *
   * @default 0
   */
  readonly ordinal?: number;
}

/**
 * One volume of a database, in the database's namespace.
 *
 * @example
 * BackupVolume.fromClaimName('data-orders-db-0');
 * BackupVolume.fromStatefulSet('orders-db', 'wal', { role: VolumeRole.LOG });
 * BackupVolume.fromLabels({ app: 'orders-db' });
 * BackupVolume.fromServerPod('data');
 */
export class BackupVolume {
  /** The volume of a claim, by the claim's name. */
  public static fromClaimName(claimName: string, options: BackupVolumeOptions = {}): BackupVolume {
    return new BackupVolume(options, { claim: claimName }, claimName);
  }

  /** The volume of a claim that is made in the same app, or imported into it. */
  public static fromClaim(claim: IPersistentVolumeClaim, options: BackupVolumeOptions = {}): BackupVolume {
    return BackupVolume.fromClaimName(claim.name, options);
  }

  /** The volume of the claim that a StatefulSet made from one of its volumeClaimTemplates. */
  public static fromStatefulSet(
    statefulSet: string,
    volumeClaimTemplate: string,
    options: StatefulSetVolumeOptions = {},
  ): BackupVolume {
    const from = { name: statefulSet, volumeClaimTemplate, ordinal: options.ordinal ?? 0 };
    return new BackupVolume(options, { statefulSet: from }, statefulSetClaimName(from));
  }

  /** The volumes of all claims that carry the given labels when a backup begins. */
  public static fromLabels(labels: { [key: string]: string }, options: BackupVolumeOptions = {}): BackupVolume {
    return new BackupVolume(options, { matchLabels: labels }, undefined);
  }

  /**
   * The volume of the claim that the server's own pod mounts, whichever pod that turns out to be when a backup begins:
   * for servers that are chosen then, as the secondary of a replica set is.
   *
   * @param podVolume the volume's name in the pod's spec; a StatefulSet's pods have their claims under the names of its
   * volumeClaimTemplates
   */
  public static fromServerPod(podVolume: string, options: BackupVolumeOptions = {}): BackupVolume {
    return new BackupVolume(options, { podVolume }, undefined);
  }

  /** The volume's name in the backup. */
  public readonly name: string;
  /** What lies on it. */
  public readonly role: VolumeRole;
  /** The claim's name; undefined where it is found by labels or from the server's pod. */
  public readonly claimName?: string;

  private constructor(
    options: BackupVolumeOptions,
    private readonly source: Partial<VolumeSelection>,
    claimName: string | undefined,
  ) {
    this.role = options.role ?? VolumeRole.DATA;
    this.name = options.name ?? (this.role === VolumeRole.TABLESPACE ? (claimName ?? this.role) : this.role);
    if (claimName !== undefined) this.claimName = claimName;
  }

  /** @internal */
  public _toConfig(): VolumeSelection {
    return { name: this.name, role: this.role, ...this.source };
  }
}
