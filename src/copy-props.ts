import type { Size } from 'cdk8s';
import type { PersistentVolumeAccessMode } from 'cdk8s-plus-28';
import type { PolicyProps } from './backup-props';
import type { BackupPolicy } from './database-backup';
import type { DumpCompression, DumpSourceProps } from './dump-props';
import type { BackupStorage } from './storage';

/** Properties of a {@link SnapshotCopy}. */
export interface SnapshotCopyProps extends PolicyProps {
  /**
   * The policy whose backups are copied: one of one database, in the same namespace. Its newest good backup is copied at each run,
   * unless it was copied before.
   */
  readonly of: BackupPolicy;

  /**
   * How many volumes a backup has at most, where the policy finds some of them when it runs: by labels, or where the server has them.
   * The worker's pod has so many places. Each run makes a claim for every one; where there are fewer volumes, the rest are
   * of 1 GiB and stay empty. A backup with more is refused.
   *
   * @default - the policy names all its volumes
   */
  readonly maxVolumes?: number;

  /** The store that the copies lie in. Its credentials are in a Secret of this namespace. */
  readonly storage: BackupStorage;

  /**
   * How an archive is made smaller.
   *
   * @default DumpCompression.ZSTD
   */
  readonly compression?: DumpCompression;

  /**
   * The public keys of age (`age1…`) that archive and manifest are encrypted for, before they leave the pod. Each of the
   * identities that belong to them opens a copy alone; nobody else does.
   *
   * @default - none: copies are not encrypted
   */
  readonly recipients?: string[];

  /**
   * The user that owns the database's files: the worker reads them as that user, within the Pod Security Standard `restricted`. 0 is
   * root, with the capability to read another user's files.
   *
   * @default - that of the engine's public image: 999, or 7474 of Neo4j. NuoDB and plain volumes have none
   */
  readonly runAsUser?: number;

  /**
   * The group of those files.
   *
   * @default - the same number as runAsUser
   */
  readonly runAsGroup?: number;
}

/** One volume of a copy, and the claim that is made for its files. */
export interface CopiedVolume {
  /** The volume's name in the backup, as `data`; `stillpoint describe` shows it. */
  readonly name: string;

  /**
   * Where the server that will start on the claim has it mounted. Links between and within volumes hold absolute paths: they are
   * written for this one.
   */
  readonly mountPath: string;

  /** The claim's size: what `stillpoint describe` says that the files hold, and 4 KiB for each of them, have to fit. */
  readonly size: Size;

  /**
   * The claim's name.
   *
   * @default - `<id of the construct>-<name of the volume>`
   */
  readonly claimName?: string;

  /**
   * The claim's storage class: of any driver.
   *
   * @default - the cluster's default class
   */
  readonly storageClassName?: string;

  /**
   * How the claim may be mounted.
   *
   * @default - [PersistentVolumeAccessMode.READ_WRITE_ONCE]
   */
  readonly accessModes?: PersistentVolumeAccessMode[];

  /**
   * The folder of the volume that the server has mounted, where it is not the whole.
   *
   * @default - the whole volume
   */
  readonly subPath?: string;
}

/** Properties of a {@link SnapshotCopyRestore}. */
export interface SnapshotCopyRestoreProps extends DumpSourceProps {
  /** All volumes of the copy. */
  readonly volumes: CopiedVolume[];

  /**
   * The user that owns the database's files, as 999 in the `postgres` images. The Job then runs as that user, within the
   * Pod Security Standard `restricted`, and restores no file of another one.
   *
   * @default - root, with the four capabilities that giving files to their owners takes
   */
  readonly runAsUser?: number;

  /**
   * The group of those files.
   *
   * @default - the same number as runAsUser
   */
  readonly runAsGroup?: number;
}
