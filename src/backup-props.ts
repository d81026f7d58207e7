import type { Duration } from 'cdk8s';
import type { ISecret } from 'cdk8s-plus-28';
import type { FreezeHook } from './hooks';
import type { IRegistry } from './registry';
import type { RetentionProps } from './retention';
import type { RunnerPodProps } from './runner-pod';
import type { BackupSchedule } from './schedule';
import type { IGroupSnapshotClass, ISnapshotClass } from './snapshot-class';
import type { BackupVolume } from './volumes';

/** How far the connection to the server is secured: libpq's words. */
export enum TlsMode {
  /** No TLS. */
  DISABLE = 'disable',
  /** Encrypted, without checking who answers. */
  REQUIRE = 'require',
  /** Encrypted, and the server's certificate comes from the given authority. */
  VERIFY_CA = 'verify-ca',
  /** As `VERIFY_CA`, and the certificate is for the host that was asked for. */
  VERIFY_FULL = 'verify-full',
}

/** How the runner reaches a database server. */
export interface ConnectionProps {
  /**
   * The server's host name or address: of a Service, a pooler or a server. The server that answers is traced to its pod,
   * and only when its files lie on the volumes of the policy a backup is made.
   */
  readonly host: string;

  /**
   * The server's port.
   *
   * @default - the engine's own
   */
  readonly port?: number;

  /** The Secret with the user name and the password. It is mounted as files, and read when a backup begins. */
  readonly credentials: ISecret;

  /**
   * The key of the user name in the Secret.
   *
   * @default 'username'
   */
  readonly usernameKey?: string;

  /**
   * The key of the password in the Secret.
   *
   * @default - 'password'; none where there is a client certificate
   */
  readonly passwordKey?: string;

  /**
   * How far the connection is secured.
   *
   * @default - TlsMode.VERIFY_FULL where there is a certificate authority, TlsMode.REQUIRE where there is only a client certificate, else TlsMode.DISABLE
   */
  readonly tlsMode?: TlsMode;

  /**
   * A Secret with the certificate of the authority that the server's certificate comes from.
   *
   * @default - none: the server is not checked
   */
  readonly certificateAuthority?: ISecret;

  /**
   * The key of that certificate in the Secret.
   *
   * @default 'ca.crt'
   */
  readonly certificateAuthorityKey?: string;

  /**
   * A Secret of type `kubernetes.io/tls` (keys `tls.crt` and `tls.key`): the user's own certificate.
   *
   * @default - none
   */
  readonly clientCertificate?: ISecret;
}

/** One database: how its server is reached, and what its files lie on. */
export interface DatabaseProps extends ConnectionProps {
  /** The database's volumes: all that its files lie on. */
  readonly volumes: BackupVolume[];

  /**
   * Claims that the server's pod mounts and that hold nothing of the database. One that is neither here nor in
   * `volumes` is reported; it stops the backup when the user may not see where `pg_wal` leads, which may then lie on it.
   *
   * @default - none
   */
  readonly ignoreClaims?: string[];

  /**
   * What else stands still while the volumes are cut: each takes hold before the database does, and is undone after it, the
   * last first.
   *
   * @default - none
   */
  readonly hooks?: FreezeHook[];
}

/** What the names of snapshots end with. */
export enum NameDate {
  /** The id of the backup: `yyyyMMddHHmmss` in UTC. */
  ID = 'yyyyMMddHHmmss',
  /** The day in UTC, as 2026-11-21. Of two backups on one day, the later one has its time in addition. */
  DAY = 'YYYY-MM-DD',
}

/** What every policy has, whatever it backs up, and however. */
export interface PolicyProps extends RunnerPodProps {
  /**
   * The database's name: its backups are listed and restored under it.
   *
   * @default - the construct's id
   */
  readonly database?: string;

  /**
   * The policy's name: that of the CronJob, its account, its roles and its ConfigMap. At most 52 characters.
   *
   * @default - `<id of the construct>-backup`
   */
  readonly name?: string;

  /** When backups are taken. */
  readonly schedule: BackupSchedule;

  /**
   * The time zone of the schedule, by its name in the time zone database. Where clocks go forward there, an hour is
   * missing once a year, and a backup in it as well: the synth warns of that.
   *
   * @default 'Etc/UTC'
   */
  readonly timeZone?: string;

  /**
   * What of the backups is kept; the rest is removed after the next backup. Taken before a deployment or protected, they
   * stay until they are released.
   *
   * @default - all are kept: nothing is removed because of its age
   */
  readonly retention?: RetentionProps;

  /**
   * Whether the schedule rests. Backups by hand (`kubectl create job --from=cronjob/…`) go on working.
   *
   * @default false
   */
  readonly suspend?: boolean;

  /**
   * How late a backup may start when the cluster was busy or down at its time; later, it is left out.
   *
   * @default Duration.hours(1)
   */
  readonly startingDeadline?: Duration;

  /**
   * How many Jobs of successful backups stay to be looked at. The backups themselves are not touched.
   *
   * @default 3
   */
  readonly successfulJobsRetained?: number;

  /**
   * How many Jobs of failed backups stay to be looked at.
   *
   * @default 3
   */
  readonly failedJobsRetained?: number;

  /**
   * The longest that a whole backup may take, repetitions and the wait for the storage to have it ready included.
   *
   * @default Duration.hours(1)
   */
  readonly deadline?: Duration;

  /**
   * Where the records of the backups are kept.
   *
   * @default - the namespace `stillpoint`
   */
  readonly registry?: IRegistry;

  /**
   * Whether the policy's account may read the cluster-wide objects on its way: snapshot classes and contents, volumes, and
   * which cluster this is. Without it a backup works, and its record says what could not be checked.
   *
   * @default true
   */
  readonly clusterAccess?: boolean;
}

/** What every policy has that takes snapshots, whatever of. */
export interface BackupPolicyProps extends PolicyProps {
  /**
   * The class that the snapshots are made with.
   *
   * @default - none: it has to be given, unless there is a group snapshot class
   */
  readonly snapshotClass?: ISnapshotClass;

  /**
   * The class that group snapshots are made with, where the storage can cut several volumes at one instant.
   *
   * @default - none: one snapshot a volume
   */
  readonly groupSnapshotClass?: IGroupSnapshotClass;

  /**
   * Whether the runner asks the storage for the snapshots itself, instead of waiting for the snapshot controller, which
   * makes 5 requests a second for the whole cluster: of several volumes, and of many databases at once, each is then held
   * for far shorter. What comes of it are ordinary snapshots. Group snapshots stay as they are.
   *
   * It takes a right that is not given lightly: to make VolumeSnapshotContents, which are cluster-wide and can name any
   * volume and any snapshot of a driver. The `Registry` holds the account to its own namespace, but the API server cannot
   * tell whose volume a content names: whoever has the account's token can read other volumes of the driver.
   * The class has to be named, and to retain.
   *
   * @default false
   */
  readonly directCut?: boolean;

  /**
   * What the names of the snapshots end with.
   *
   * @default NameDate.ID
   */
  readonly nameDate?: NameDate;

  /**
   * The longest that the database may be held, from the freeze to the thaw. When it runs out the database is let go and
   * the backup fails.
   *
   * @default Duration.seconds(30)
   */
  readonly budget?: Duration;
}

/** What every database's backup policy has. */
export interface DatabaseBackupProps extends DatabaseProps, BackupPolicyProps {}
