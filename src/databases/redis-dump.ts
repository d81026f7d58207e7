import type { Construct } from 'constructs';
import { DatabaseDump } from '../database-dump';
import type { DumpDefinition, RestoreGoal, RestorePod } from '../dump-config';
import type { DatabaseDumpProps, DumpSourceProps } from '../dump-props';
import { DumpRestore } from '../dump-restore';
import { invalid } from '../invalid';

/** Properties of a {@link RedisDump}. */
export interface RedisDumpProps extends DatabaseDumpProps {}

/**
 * Dumps a Redis or Valkey server to a store on a schedule, by its own `redis-cli --rdb`: the server writes it as it would for a new
 * replica. Which of the two it is, the runner asks the server. A member of a cluster is refused: it holds a part.
 *
 * Its main child is a CronJob, so a dump by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new RedisDump(chart, 'sessions-dump', {
 *   host: 'sessions-db',
 *   credentials: Secret.fromSecretName(chart, 'login', 'sessions-db-dump'),
 *   serverImage: 'redis:8',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 *   schedule: BackupSchedule.hourly(),
 * });
 */
export class RedisDump extends DatabaseDump {
  constructor(scope: Construct, id: string, props: RedisDumpProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _dumped(): DumpDefinition {
    return { engine: 'redis', defaultPort: 6379 };
  }
}

/** Properties of a {@link RedisDumpRestore}. */
export interface RedisDumpRestoreProps extends DumpSourceProps {
  /** The claim that the new server has for its data directory. It has to be empty: no server may have started on it. */
  readonly claimName: string;

  /**
   * The folder of the volume that is the data directory.
   *
   * @default - the volume itself
   */
  readonly subPath?: string;

  /**
   * The user that the server runs as: the file belongs to it.
   *
   * @default 999
   */
  readonly serverUser?: number;

  /**
   * The group of that user.
   *
   * @default 999
   */
  readonly serverGroup?: number;
}

/** Where the claim is mounted. */
const DATA = '/data';

/** The user `redis` or `valkey` of the public images. */
const SERVER_USER = 999;

/**
 * Puts a dump where a new Redis or Valkey server finds it when it starts: as `dump.rdb` on its claim. Start the server when the Job
 * is complete, with `appendonly no`: with an append-only file that is not there it would begin empty.
 *
 * @example
 * new RedisDumpRestore(chart, 'sessions-copy', {
 *   database: 'sessions-dump',
 *   backup: '20261121020000',
 *   claimName: 'data-sessions-copy-0',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 * });
 */
export class RedisDumpRestore extends DumpRestore {
  constructor(scope: Construct, id: string, props: RedisDumpRestoreProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _check({ claimName }: RedisDumpRestoreProps): void {
    if (typeof claimName === 'string' && claimName !== '') return;
    throw invalid(this, 'names no claim', "name that of the new server, as claimName: 'data-sessions-copy-0'");
  }

  /** @internal */
  protected override _goal(): RestoreGoal {
    return { file: { directory: DATA } };
  }

  /** @internal */
  protected override _pod(props: RedisDumpRestoreProps): RestorePod {
    const { claimName, subPath, serverUser: user = SERVER_USER, serverGroup: group = SERVER_USER } = props;
    return {
      security: { user, group, fsGroup: group },
      volumes: [
        {
          volume: { name: 'data', persistentVolumeClaim: { claimName } },
          path: DATA,
          writable: true,
          ...(subPath === undefined ? {} : { subPath }),
        },
      ],
    };
  }
}
