import type { Construct } from 'constructs';
import type { DatabaseBackupProps, DatabaseProps } from '../backup-props';
import { DatabaseBackup } from '../database-backup';
import { DatabaseMember } from '../group-member';
import { invalid } from '../invalid';
import type { EngineDefinition } from '../job-config';
import type { WorkloadRef } from '../stopped-workload';
import { type BackupVolume, VolumeRole } from '../volumes';

/** How a Neo4j is backed up. */
export interface Neo4jModeProps {
  /**
   * What Neo4j runs as, where it is to be stopped for its backups: it is scaled to zero, its volumes are cut, and it is
   * scaled back as soon as they are, whatever becomes of the backup. The record has the downtime.
   *
   * @default - none: it runs while it is cut, and the copy is what a crash would have left. That takes one volume, or one
   * group snapshot
   */
  readonly offline?: WorkloadRef;
}

/** Properties of a {@link Neo4jBackup}. */
export interface Neo4jBackupProps extends DatabaseBackupProps, Neo4jModeProps {}

/**
 * Backs up a Neo4j (5) of one server on a schedule, by snapshots of its volumes: running, as a crash would leave it, or stopped.
 * The Community edition has no other backup while it runs.
 *
 * Its main child is a CronJob, so a backup by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new Neo4jBackup(chart, 'graph', {
 *   host: 'graph',
 *   credentials: Secret.fromSecretName(chart, 'login', 'graph-login'),
 *   volumes: [BackupVolume.fromServerPod('data')],
 *   snapshotClass: SnapshotClass.fromName('retained'),
 *   schedule: BackupSchedule.daily({ hour: 3 }),
 * });
 */
export class Neo4jBackup extends DatabaseBackup {
  constructor(scope: Construct, id: string, props: Neo4jBackupProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _engine(props: Neo4jBackupProps): EngineDefinition {
    checkData(this, props.volumes);
    const { volumes, groupSnapshotClass, snapshotClass, offline } = props;
    const together = groupSnapshotClass !== undefined && volumes.length > 1;
    if (!together && snapshotClass === undefined) {
      throw invalid(
        this,
        'takes single snapshots, and names no snapshot class',
        "set snapshotClass: SnapshotClass.fromName('…')",
      );
    }
    if (volumes.length > 1 && !together && offline === undefined) {
      throw invalid(
        this,
        `lets Neo4j run while it is cut, and has ${volumes.length} volumes, which are not cut at one instant`,
        "set offline: WorkloadRef.statefulSet('…'), or groupSnapshotClass: GroupSnapshotClass.fromName('…')",
      );
    }
    return definitionOf(props, together);
  }
}

/** What a Neo4j in a group has. */
export interface Neo4jMemberProps extends DatabaseProps, Neo4jModeProps {}

/**
 * A Neo4j in a group. It cannot hold its writes by itself: it is stopped, or a hook holds it, or the whole group is cut at one
 * instant by a group snapshot.
 */
export class Neo4jMember extends DatabaseMember {
  private readonly props: Neo4jMemberProps;

  constructor(name: string, props: Neo4jMemberProps) {
    super(name, props);
    this.props = props;
  }

  /** @internal */
  protected override _check(group: Construct): void {
    checkData(group, this.props.volumes);
  }

  /** @internal */
  protected override _engine(): EngineDefinition {
    return definitionOf(this.props, false);
  }
}

function definitionOf({ offline }: Neo4jModeProps, together: boolean): EngineDefinition {
  return {
    engine: 'neo4j',
    defaultPort: 7687,
    layout: together ? 'group' : 'auto',
    options: {},
    ...(offline === undefined ? {} : { offline: offline._toConfig() }),
  };
}

function checkData(construct: Construct, volumes: readonly BackupVolume[]): void {
  const data = volumes.filter(({ role }) => role === VolumeRole.DATA);
  if (data.length === 1) return;
  throw invalid(
    construct,
    `has ${data.length} volumes with the role data, and a Neo4j has one data directory`,
    'name one volume without a role; where its transaction logs have a volume of their own, that with VolumeRole.LOG',
  );
}
