import type { Construct } from 'constructs';
import type { BackupPolicyProps, DatabaseBackupProps, DatabaseProps } from '../backup-props';
import { DatabaseBackup } from '../database-backup';
import { DatabaseMember } from '../group-member';
import { invalid } from '../invalid';
import type { EngineDefinition } from '../job-config';
import { type BackupVolume, VolumeRole } from '../volumes';

/** How a PostgreSQL server's volumes become one consistent copy. */
export enum PostgresLayout {
  /** `ATOMIC` for one volume, `GROUP` where there is a group snapshot class, else `BACKUP_MODE`. */
  AUTO = 'auto',
  /** Everything on one volume, cut at one instant: crash recovery makes it consistent, and nothing is held. */
  ATOMIC = 'atomic',
  /** All volumes cut at one instant by the storage, as a group snapshot: as `ATOMIC`. */
  GROUP = 'group',
  /** The server is in backup mode from before the first cut; the write-ahead log is cut last. */
  BACKUP_MODE = 'backup-mode',
}

/** Properties of a {@link PostgresBackup}. */
export interface PostgresBackupProps extends DatabaseBackupProps {
  /**
   * How the volumes become one consistent copy.
   *
   * @default PostgresLayout.AUTO
   */
  readonly layout?: PostgresLayout;

  /**
   * Whether the write-ahead log (`pg_wal`) lies on a volume of its own. Say `true` where you know it does: a policy
   * without that volume is then an error at synth, not at night.
   *
   * @default - whether one of the volumes has the role VolumeRole.LOG
   */
  readonly separateWal?: boolean;

  /**
   * Whether a checkpoint is made before the cut of `ATOMIC` and `GROUP`: a shorter recovery at the restore, for a burst of
   * writes at the backup. It takes a superuser or a member of `pg_checkpoint`.
   *
   * @default false
   */
  readonly checkpoint?: boolean;

  /**
   * The database that the runner connects to. Backups are of the whole server, whatever it is.
   *
   * @default 'postgres'
   */
  readonly maintenanceDatabase?: string;
}

/**
 * Backs up a PostgreSQL server (12 to 18) on a schedule: snapshots of its volumes that restore to a consistent database.
 *
 * Its main child is a CronJob, so a backup by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new PostgresBackup(chart, 'orders-db', {
 *   host: 'orders-db',
 *   credentials: Secret.fromSecretName(chart, 'login', 'orders-db'),
 *   volumes: [BackupVolume.fromClaimName('data-orders-db-0')],
 *   snapshotClass: SnapshotClass.fromName('retained'),
 *   schedule: BackupSchedule.daily({ hour: 2 }),
 * });
 */
export class PostgresBackup extends DatabaseBackup {
  constructor(scope: Construct, id: string, props: PostgresBackupProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _engine(props: PostgresBackupProps): EngineDefinition {
    this.checkVolumes(props);
    this.checkLayout(props);
    return {
      engine: 'postgres',
      defaultPort: 5432,
      connectTo: props.maintenanceDatabase ?? 'postgres',
      layout: props.layout ?? PostgresLayout.AUTO,
      options: props.checkpoint === undefined ? {} : { checkpoint: `${props.checkpoint}` },
    };
  }

  private checkVolumes({ volumes, separateWal }: PostgresBackupProps): void {
    checkDataVolume(this, volumes);
    const hasLog = volumes.some(({ role }) => role === VolumeRole.LOG);
    if (separateWal === true && !hasLog) {
      throw invalid(
        this,
        'says that the write-ahead log has a volume of its own, and names none',
        'add it to volumes, as BackupVolume.fromClaimName("wal-orders-db-0", { role: VolumeRole.LOG })',
      );
    }
    if (separateWal === false && hasLog) {
      throw invalid(this, 'has a volume with the role log, and separateWal: false', 'leave one of them out');
    }
  }

  private checkLayout({ layout, volumes, groupSnapshotClass, snapshotClass }: PostgresBackupProps): void {
    if (layout === PostgresLayout.ATOMIC && volumes.length > 1) {
      throw invalid(
        this,
        `has the layout atomic and ${volumes.length} volumes, which are not cut at one instant`,
        'take PostgresLayout.BACKUP_MODE, or PostgresLayout.GROUP where the storage has group snapshots',
      );
    }
    if (layout === PostgresLayout.GROUP && groupSnapshotClass === undefined) {
      throw invalid(
        this,
        'has the layout group and names no group snapshot class',
        "set groupSnapshotClass: GroupSnapshotClass.fromName('…')",
      );
    }
    const single = layout === PostgresLayout.ATOMIC || layout === PostgresLayout.BACKUP_MODE;
    if (single && snapshotClass === undefined) {
      throw invalid(
        this,
        `has the layout ${layout}, which takes single snapshots, and names no snapshot class`,
        "set snapshotClass: SnapshotClass.fromName('…')",
      );
    }
  }
}

function checkDataVolume(construct: Construct, volumes: readonly BackupVolume[]): void {
  const data = volumes.filter(({ role }) => role === VolumeRole.DATA);
  if (data.length !== 1) {
    throw invalid(
      construct,
      `has ${data.length} volumes with the role data, and PostgreSQL has one data directory`,
      'name one volume without a role, the others with VolumeRole.LOG (pg_wal) or VolumeRole.TABLESPACE',
    );
  }
}

/** What a PostgreSQL server of a group has. */
export interface PostgresMemberProps extends DatabaseProps {
  /**
   * The database that the runner connects to first. Writes are held in every database of the server, whatever it is.
   *
   * @default 'postgres'
   */
  readonly maintenanceDatabase?: string;
}

/**
 * A PostgreSQL server in a group. Its writes are held by a session in each of its databases that locks every table in SHARE
 * MODE; sequences, large objects and tables made meanwhile are not held, and the record says so. Its user has to be allowed to
 * connect to every database and to lock every table: `GRANT pg_maintain` from PostgreSQL 17, `GRANT pg_write_all_data` before.
 */
export class PostgresMember extends DatabaseMember {
  private readonly props: PostgresMemberProps;

  constructor(name: string, props: PostgresMemberProps) {
    super(name, props);
    this.props = props;
  }

  /** @internal */
  protected override _check(group: Construct, { groupSnapshotClass }: BackupPolicyProps): void {
    checkDataVolume(group, this.props.volumes);
    if (this.props.volumes.length === 1 || groupSnapshotClass !== undefined) return;
    throw invalid(
      group,
      `has the member "${this.name}" with ${this.props.volumes.length} volumes, which are not cut at one instant`,
      "set groupSnapshotClass: GroupSnapshotClass.fromName('…'), or back it up by a policy of its own",
    );
  }

  /** @internal */
  protected override _engine(): EngineDefinition {
    const connectTo = this.props.maintenanceDatabase ?? 'postgres';
    return { engine: 'postgres', defaultPort: 5432, connectTo, layout: PostgresLayout.AUTO, options: {} };
  }
}
