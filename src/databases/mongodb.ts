import type { Duration } from 'cdk8s';
import type { Construct } from 'constructs';
import type { DatabaseBackupProps, DatabaseProps } from '../backup-props';
import { DatabaseBackup } from '../database-backup';
import { DatabaseMember } from '../group-member';
import { invalid } from '../invalid';
import type { EngineDefinition } from '../job-config';
import { type BackupVolume, VolumeRole } from '../volumes';

/** Which member of a replica set is backed up: MongoDB's own words for whom reads prefer. */
export enum MongoMember {
  /** A hidden member, else another secondary; never the primary. */
  SECONDARY = 'secondary',
  /** As `SECONDARY`, and the primary where no secondary is fit. */
  SECONDARY_PREFERRED = 'secondaryPreferred',
  /** The primary itself. Of a set of one member there is no other. */
  PRIMARY = 'primary',
}

/** Properties of a {@link MongoBackup}. */
export interface MongoBackupProps extends DatabaseBackupProps {
  /**
   * Which member of a replica set is backed up. A set without a fit one refuses the backup; a server of no set is backed
   * up as it is.
   *
   * @default MongoMember.SECONDARY
   */
  readonly member?: MongoMember;

  /**
   * How far behind the newest write in the set a secondary may be.
   *
   * @default Duration.seconds(60)
   */
  readonly maxLag?: Duration;

  /**
   * Whether the member is locked against writes (`fsync` with `lock`) while its volumes are cut: the copy ends exactly at the recorded
   * operation. Without, nothing waits, and the copy is what a crash would have left; only where all files lie on one
   * volume, or are cut as a group.
   *
   * @default true
   */
  readonly lock?: boolean;

  /**
   * Of a sharded cluster, where `host` is a mongos: whether its servers may be locked one after another, so that their copies are
   * of no one instant. Without, the mongos locks the primaries of all shards at once, which asks for `MongoMember.PRIMARY` and a mongos
   * from 5.0.22, 6.0.11, 7.0.2 or 7.1 on; what cannot be had is refused. Servers of no cluster do not mind it.
   *
   * @default false
   */
  readonly approximate?: boolean;

  /**
   * The database that the user was created in.
   *
   * @default 'admin'
   */
  readonly authenticationDatabase?: string;
}

/**
 * Backs up a MongoDB (5 to 8) replica set, or a server of none, on a schedule: snapshots of the volumes of one member
 * that restore to a consistent database. Where the host is a mongos, one member of the config servers and of each shard are
 * backed up together.
 *
 * Its main child is a CronJob, so a backup by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new MongoBackup(chart, 'catalogue-db', {
 *   host: 'catalogue-db',
 *   credentials: Secret.fromSecretName(chart, 'login', 'catalogue-db-backup'),
 *   volumes: [BackupVolume.fromServerPod('data')],
 *   snapshotClass: SnapshotClass.fromName('retained'),
 *   schedule: BackupSchedule.daily({ hour: 2 }),
 * });
 */
export class MongoBackup extends DatabaseBackup {
  constructor(scope: Construct, id: string, props: MongoBackupProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _engine(props: MongoBackupProps): EngineDefinition {
    checkVolumes(this, props.volumes);
    this.checkSeveralVolumes(props);
    this.checkApproximate(props);
    this.checkLogin(props);
    const { member, maxLag, lock, approximate, groupSnapshotClass, volumes } = props;
    return {
      engine: 'mongodb',
      defaultPort: 27017,
      ...(props.authenticationDatabase === undefined ? {} : { connectTo: props.authenticationDatabase }),
      // The lock belongs to the server, and goes on when its runner is gone.
      guarded: lock !== false,
      layout: groupSnapshotClass !== undefined && volumes.length > 1 ? 'group' : 'auto',
      options: {
        ...(member === undefined ? {} : { member }),
        ...(maxLag === undefined ? {} : { maxLagSeconds: String(maxLag.toSeconds()) }),
        ...(lock === undefined ? {} : { lock: String(lock) }),
        ...(approximate === undefined ? {} : { approximate: String(approximate) }),
      },
    };
  }

  private checkSeveralVolumes({ volumes, lock, groupSnapshotClass, snapshotClass }: MongoBackupProps): void {
    if (groupSnapshotClass !== undefined && volumes.length > 1) return;
    if (snapshotClass === undefined) {
      throw invalid(
        this,
        'takes single snapshots, and names no snapshot class',
        "set snapshotClass: SnapshotClass.fromName('…')",
      );
    }
    if (volumes.length > 1 && lock === false) {
      throw invalid(
        this,
        `lets writes go on (lock: false), and has ${volumes.length} volumes, which are not cut at one instant`,
        "leave lock out, or set groupSnapshotClass: GroupSnapshotClass.fromName('…')",
      );
    }
  }

  private checkApproximate({ approximate, lock }: MongoBackupProps): void {
    if (approximate !== true || lock !== false) return;
    throw invalid(
      this,
      'is content with shards that are locked one after another (approximate: true), and locks none (lock: false)',
      'leave lock out',
    );
  }

  private checkLogin({ clientCertificate, passwordKey }: MongoBackupProps): void {
    if (clientCertificate === undefined || passwordKey !== undefined) return;
    throw invalid(
      this,
      'would log in by its client certificate, and MongoDB logins here are by name and password (SCRAM)',
      "set passwordKey: 'password' (the key in the Secret); the certificate then secures the connection",
    );
  }
}

function checkVolumes(construct: Construct, volumes: readonly BackupVolume[]): void {
  const data = volumes.filter(({ role }) => role === VolumeRole.DATA);
  if (data.length !== 1) {
    throw invalid(
      construct,
      `has ${data.length} volumes with the role data, and a mongod has one dbPath`,
      'name one volume without a role, the others with VolumeRole.LOG (journal) or VolumeRole.TABLESPACE (folders of dbPath)',
    );
  }
}

/** What a MongoDB replica set, or a server of none, in a group has. */
export interface MongoGroupMemberProps extends DatabaseProps {
  /**
   * Which member of the replica set is locked and cut. A secondary may be behind what its clients were told of, and what
   * belongs together in a group then is not: the record says how far behind it was.
   *
   * @default MongoMember.PRIMARY
   */
  readonly member?: MongoMember;

  /**
   * The database that the user was created in.
   *
   * @default 'admin'
   */
  readonly authenticationDatabase?: string;
}

/** A MongoDB replica set, or a server of none, in a group: one of its members is locked against writes until all are cut. */
export class MongoGroupMember extends DatabaseMember {
  private readonly props: MongoGroupMemberProps;

  constructor(name: string, props: MongoGroupMemberProps) {
    super(name, props);
    this.props = props;
  }

  /** @internal */
  protected override _check(group: Construct): void {
    checkVolumes(group, this.props.volumes);
  }

  /** @internal */
  protected override _engine(): EngineDefinition {
    const { member, authenticationDatabase } = this.props;
    return {
      engine: 'mongodb',
      defaultPort: 27017,
      ...(authenticationDatabase === undefined ? {} : { connectTo: authenticationDatabase }),
      layout: 'auto',
      options: { member: member ?? MongoMember.PRIMARY, lock: 'true' },
      guarded: true,
    };
  }
}
