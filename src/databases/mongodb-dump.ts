import type { Construct } from 'constructs';
import { DatabaseDump } from '../database-dump';
import type { DumpDefinition } from '../dump-config';
import type { SelectiveDumpProps, SelectiveRestoreProps } from '../dump-props';
import { ServerDumpRestore } from '../dump-restore';
import { invalid } from '../invalid';
import { MongoMember } from './mongodb';

/** Any member says what the server is: what is dumped, `host` and the tool decide. */
function mongodb(authenticationDatabase: string | undefined): DumpDefinition {
  return {
    engine: 'mongodb',
    defaultPort: 27017,
    options: { member: MongoMember.SECONDARY_PREFERRED },
    ...(authenticationDatabase === undefined ? {} : { connectTo: authenticationDatabase }),
  };
}

/** Properties of a {@link MongoDump}. */
export interface MongoDumpProps extends SelectiveDumpProps {
  /**
   * Whether what is written while the tool reads is dumped too, and replayed by a restore (`--oplog`): without it the collections are
   * of different moments. Of a member of a replica set, and of all its databases.
   *
   * @default - true; false with onlyDatabase
   */
  readonly oplog?: boolean;

  /**
   * The database that the user was created in.
   *
   * @default 'admin'
   */
  readonly authenticationDatabase?: string;
}

/**
 * Dumps a MongoDB server to a store on a schedule, by `mongodump --archive` of its own image. Not a sharded cluster, nor a server of
 * one: those are backed up by {@link MongoBackup}.
 *
 * Its main child is a CronJob, so a dump by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new MongoDump(chart, 'catalogue-dump', {
 *   host: 'catalogue-db',
 *   credentials: Secret.fromSecretName(chart, 'login', 'catalogue-db-dump'),
 *   serverImage: 'mongo:8',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 *   schedule: BackupSchedule.daily({ hour: 2 }),
 * });
 */
export class MongoDump extends DatabaseDump {
  constructor(scope: Construct, id: string, props: MongoDumpProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _dumped({ onlyDatabase: only, oplog, authenticationDatabase }: MongoDumpProps): DumpDefinition {
    if (only !== undefined && oplog === true) {
      throw invalid(
        this,
        `dumps the database "${only}" alone, and the oplog`,
        'leave one of them out: the oplog is of all databases',
      );
    }
    return { ...mongodb(authenticationDatabase), only, position: oplog ?? only === undefined };
  }
}

/** Properties of a {@link MongoDumpRestore}. */
export interface MongoDumpRestoreProps extends SelectiveRestoreProps {
  /**
   * The database that the user was created in.
   *
   * @default 'admin'
   */
  readonly authenticationDatabase?: string;
}

/**
 * Restores a dump into an empty MongoDB server, by `mongorestore --archive` of its own image.
 *
 * @example
 * new MongoDumpRestore(chart, 'catalogue-copy', {
 *   database: 'catalogue-dump',
 *   backup: '20261121020000',
 *   host: 'catalogue-copy',
 *   credentials: Secret.fromSecretName(chart, 'copy-login', 'catalogue-copy'),
 *   serverImage: 'mongo:8',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 * });
 */
export class MongoDumpRestore extends ServerDumpRestore {
  constructor(scope: Construct, id: string, props: MongoDumpRestoreProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _restored({ onlyDatabase, authenticationDatabase }: MongoDumpRestoreProps): DumpDefinition {
    return { ...mongodb(authenticationDatabase), only: onlyDatabase };
  }
}
