import type { Construct } from 'constructs';
import type { DatabaseBackupProps, DatabaseProps } from '../backup-props';
import { checkEnum } from '../check-kinds';
import { DatabaseBackup } from '../database-backup';
import { DatabaseMember } from '../group-member';
import { invalid } from '../invalid';
import type { EngineDefinition } from '../job-config';
import { type BackupVolume, VolumeRole } from '../volumes';

/** What is held at a MySQL or MariaDB server while its volumes are cut. */
export enum MySqlMode {
  /**
   * Every commit waits, for as long as the cuts take: the copy ends exactly at the recorded position. MySQL by
   * `FLUSH TABLES WITH READ LOCK`, MariaDB by `BACKUP STAGE BLOCK_COMMIT`.
   */
  GLOBAL = 'global',
  /**
   * Changes of tables wait, commits go on: the copy is what a crash would have left, with no half-done `ALTER TABLE`. MySQL from
   * 8.0 by `LOCK INSTANCE FOR BACKUP`, MariaDB by `BACKUP STAGE BLOCK_DDL`.
   */
  INSTANCE = 'instance',
  /** Nothing waits: the copy is what a crash would have left. */
  NONE = 'none',
}

/** Properties of a {@link MySqlBackup}. */
export interface MySqlBackupProps extends DatabaseBackupProps {
  /**
   * What is held while the volumes are cut.
   *
   * @default MySqlMode.GLOBAL
   */
  readonly mode?: MySqlMode;

  /**
   * Whether a server that replicates from another may be backed up, so that the primary need not stand still. The record
   * has the replica's own position, as GTIDs and in the binary log of its source, and how far it was behind. Without it such
   * a server is refused: a Service that leads to a replica after a failover would give older data than one expects.
   *
   * @default false
   */
  readonly allowReplica?: boolean;
}

/**
 * Backs up a MySQL (5.7 to 9) or MariaDB (10.4 and newer) server on a schedule: snapshots of its volumes that restore to a
 * consistent database. Which of the two it is, the runner asks the server.
 *
 * Its main child is a CronJob, so a backup by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new MySqlBackup(chart, 'accounts-db', {
 *   host: 'accounts-db',
 *   credentials: Secret.fromSecretName(chart, 'login', 'accounts-db'),
 *   volumes: [BackupVolume.fromClaimName('data-accounts-db-0')],
 *   snapshotClass: SnapshotClass.fromName('retained'),
 *   schedule: BackupSchedule.daily({ hour: 2 }),
 * });
 */
export class MySqlBackup extends DatabaseBackup {
  constructor(scope: Construct, id: string, props: MySqlBackupProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _engine(props: MySqlBackupProps): EngineDefinition {
    checkVolumes(this, props.volumes);
    checkEnum(this, 'mode', props.mode, MySqlMode);
    this.checkSeveralVolumes(props);
    return {
      engine: 'mysql',
      defaultPort: 3306,
      layout: props.groupSnapshotClass !== undefined && props.volumes.length > 1 ? 'group' : 'auto',
      options: {
        ...(props.mode === undefined ? {} : { mode: props.mode }),
        ...(props.allowReplica === true ? { replica: 'allow' } : {}),
      },
    };
  }

  private checkSeveralVolumes({ volumes, mode, groupSnapshotClass, snapshotClass }: MySqlBackupProps): void {
    if (groupSnapshotClass !== undefined && volumes.length > 1) return;
    if (snapshotClass === undefined) {
      throw invalid(
        this,
        'takes single snapshots, and names no snapshot class',
        "set snapshotClass: SnapshotClass.fromName('…')",
      );
    }
    if (volumes.some(({ role }) => role === VolumeRole.TABLESPACE)) {
      throw invalid(
        this,
        'has files of InnoDB on several volumes, which are not cut at one instant',
        "put them on one volume, or set groupSnapshotClass: GroupSnapshotClass.fromName('…')",
      );
    }
    if (volumes.length > 1 && mode !== undefined && mode !== MySqlMode.GLOBAL) {
      throw invalid(
        this,
        `has the mode ${mode}, in which commits go on, and ${volumes.length} volumes, which are not cut at one instant`,
        "take MySqlMode.GLOBAL, or set groupSnapshotClass: GroupSnapshotClass.fromName('…')",
      );
    }
  }
}

function checkVolumes(construct: Construct, volumes: readonly BackupVolume[]): void {
  const data = volumes.filter(({ role }) => role === VolumeRole.DATA);
  if (data.length !== 1) {
    throw invalid(
      construct,
      `has ${data.length} volumes with the role data, and MySQL has one data directory`,
      'name one volume without a role, the others with VolumeRole.LOG (binary log) or VolumeRole.TABLESPACE',
    );
  }
}

/**
 * A MySQL or MariaDB server in a group: every commit waits until all members are cut, as in `MySqlMode.GLOBAL`.
 */
export class MySqlMember extends DatabaseMember {
  private readonly volumes: BackupVolume[];

  constructor(name: string, props: DatabaseProps) {
    super(name, props);
    this.volumes = props.volumes;
  }

  /** @internal */
  protected override _check(group: Construct): void {
    checkVolumes(group, this.volumes);
  }

  /** @internal */
  protected override _engine(): EngineDefinition {
    return { engine: 'mysql', defaultPort: 3306, layout: 'auto', options: {} };
  }
}
