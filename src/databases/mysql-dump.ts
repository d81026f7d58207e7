import type { Construct } from 'constructs';
import { DatabaseDump } from '../database-dump';
import type { DumpDefinition } from '../dump-config';
import type { SelectiveDumpProps, SelectiveRestoreProps } from '../dump-props';
import { ServerDumpRestore } from '../dump-restore';

const MYSQL: DumpDefinition = { engine: 'mysql', defaultPort: 3306 };

/** Properties of a {@link MySqlDump}. */
export interface MySqlDumpProps extends SelectiveDumpProps {
  /**
   * Whether the dump says, in a comment, where the binary log stood: what a replica begins from. MariaDB knows it of the snapshot
   * that it reads. MySQL takes a global read lock for it, and waits for that without a limit: everybody's writes queue up
   * behind a long statement.
   *
   * @default false
   */
  readonly logPosition?: boolean;
}

/**
 * Dumps a MySQL or MariaDB server to a store on a schedule, by its own `mysqldump` or `mariadb-dump`: in one transaction, which
 * locks nothing. Tables of engines without transactions are read as they are. Which of the two it is, the runner asks the server.
 *
 * Its main child is a CronJob, so a dump by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new MySqlDump(chart, 'accounts-dump', {
 *   host: 'accounts-db',
 *   credentials: Secret.fromSecretName(chart, 'login', 'accounts-db-dump'),
 *   serverImage: 'mariadb:11.8',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 *   schedule: BackupSchedule.daily({ hour: 2 }),
 * });
 */
export class MySqlDump extends DatabaseDump {
  constructor(scope: Construct, id: string, props: MySqlDumpProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _dumped({ onlyDatabase: only, logPosition: position }: MySqlDumpProps): DumpDefinition {
    return { ...MYSQL, only, position };
  }
}

/** Properties of a {@link MySqlDumpRestore}. */
export interface MySqlDumpRestoreProps extends SelectiveRestoreProps {}

/**
 * Restores a dump into an empty MySQL or MariaDB server, by its own client. A dump of all replaces its users by those of the
 * original: the one that restores too, once it is done.
 *
 * @example
 * new MySqlDumpRestore(chart, 'accounts-copy', {
 *   database: 'accounts-dump',
 *   backup: '20261121020000',
 *   host: 'accounts-copy',
 *   credentials: Secret.fromSecretName(chart, 'copy-login', 'accounts-copy'),
 *   serverImage: 'mariadb:11.8',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 * });
 */
export class MySqlDumpRestore extends ServerDumpRestore {
  constructor(scope: Construct, id: string, props: MySqlDumpRestoreProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _restored({ onlyDatabase: only }: MySqlDumpRestoreProps): DumpDefinition {
    return { ...MYSQL, only };
  }
}
