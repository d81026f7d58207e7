import type { Construct } from 'constructs';
import type { DatabaseBackupProps, DatabaseProps } from '../backup-props';
import { checkEnum } from '../check-kinds';
import { DatabaseBackup } from '../database-backup';
import { DatabaseMember } from '../group-member';
import { invalid } from '../invalid';
import type { EngineDefinition } from '../job-config';
import { type BackupVolume, VolumeRole } from '../volumes';
import type { RedisSentinel } from './redis-sentinel';

/** What a copy of a Redis or Valkey server is made of, and what waits meanwhile. */
export enum RedisMode {
  /**
   * The append-only file. Writes wait from the moment in which it is synced until the cuts were seen: the copy ends exactly
   * at the recorded position. Needs `appendonly yes`, and Redis from 7.2 or Valkey.
   */
  AOF = 'aof',
  /**
   * A dump, which the server writes first. Writes wait for the moment in which the dump begins, so that its position is known
   * exactly; what is acknowledged after that moment is not in the copy, and the record says so.
   */
  RDB = 'rdb',
  /**
   * A dump, and writes wait from the moment in which it begins until the cuts were seen: nothing is acknowledged that the copy
   * has not. The budget has to be long enough for the server to write the whole dump; Redis 6.2, which knows this mode alone, writes
   * it twice.
   */
  RDB_PAUSED = 'rdb-paused',
}

/** Which of a master and its replicas is backed up. */
export enum RedisRole {
  /** The master: while writes wait, those of all clients do. */
  MASTER = 'master',
  /** A replica: while its cuts are made, what the master sends waits there, and no client's write does. */
  REPLICA = 'replica',
}

/** Properties of a {@link RedisBackup}. */
export interface RedisBackupProps extends DatabaseBackupProps {
  /**
   * What the copy is made of.
   *
   * @default - as the server itself would start: RedisMode.AOF where it has `appendonly yes`, else RedisMode.RDB
   */
  readonly mode?: RedisMode;

  /**
   * Which server is backed up. One that turns out to be of the other role is refused: after a failover, `host` may lead to another
   * than one expects.
   *
   * @default RedisRole.MASTER
   */
  readonly role?: RedisRole;

  /**
   * Sentinels that are asked for the server when a backup begins. `host` is then the name that certificates are checked for, of
   * the servers all together; take the claim from the server's own pod, `BackupVolume.fromServerPod`.
   *
   * @default - none: host leads to the server
   */
  readonly sentinel?: RedisSentinel;
}

/**
 * Backs up a Redis (6.2 to 8) or Valkey server on a schedule: snapshots of its volume that restore to a consistent database. Which
 * of the two it is, the runner asks the server.
 *
 * Its main child is a CronJob, so a backup by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new RedisBackup(chart, 'sessions-db', {
 *   host: 'sessions-db',
 *   credentials: Secret.fromSecretName(chart, 'login', 'sessions-db-backup'),
 *   volumes: [BackupVolume.fromServerPod('data')],
 *   snapshotClass: SnapshotClass.fromName('retained'),
 *   schedule: BackupSchedule.hourly(),
 * });
 */
export class RedisBackup extends DatabaseBackup {
  constructor(scope: Construct, id: string, props: RedisBackupProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _engine(props: RedisBackupProps): EngineDefinition {
    checkVolumes(this, props.volumes);
    checkEnum(this, 'mode', props.mode, RedisMode);
    checkEnum(this, 'role', props.role, RedisRole);
    if (props.snapshotClass === undefined) {
      throw invalid(
        this,
        'takes a snapshot of its one volume, and names no snapshot class',
        "set snapshotClass: SnapshotClass.fromName('…')",
      );
    }
    return {
      engine: 'redis',
      defaultPort: 6379,
      layout: 'auto',
      options: {
        ...(props.mode === undefined ? {} : { mode: props.mode }),
        ...(props.role === undefined ? {} : { role: props.role }),
      },
      ...(props.sentinel === undefined ? {} : { sentinel: props.sentinel }),
      // What the server itself has chosen may be the append-only file, too.
      guarded: props.mode === undefined || props.mode === RedisMode.AOF,
    };
  }
}

function checkVolumes(construct: Construct, volumes: readonly BackupVolume[]): void {
  if (volumes.length === 1 && volumes[0]?.role === VolumeRole.DATA) return;
  throw invalid(
    construct,
    `has the volumes ${volumes.map(({ name, role }) => `${name} (${role})`).join(', ')}, and a server has its dump and its append-only files on one: it moves files from one to the other`,
    'name the volume of its folder dir, without a role',
  );
}

/**
 * A Redis or Valkey server in a group, or a cluster of them with all its masters: writes are paused until all members are cut.
 * What the copy is made of, the server itself decides: its append-only file where it has one, else a dump.
 */
export class RedisMember extends DatabaseMember {
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
    return { engine: 'redis', defaultPort: 6379, layout: 'auto', options: {}, guarded: true };
  }
}
