import type { Construct } from 'constructs';
import { DatabaseDump } from '../database-dump';
import type { DumpDefinition } from '../dump-config';
import type { SelectiveDumpProps, SelectiveRestoreProps } from '../dump-props';
import { ServerDumpRestore } from '../dump-restore';
import { invalid } from '../invalid';

const POSTGRES: DumpDefinition = { engine: 'postgres', defaultPort: 5432, connectTo: 'postgres' };

/** Properties of a {@link PostgresDump}. */
export interface PostgresDumpProps extends SelectiveDumpProps {
  /**
   * The databases that are dumped, and no others: one after the other by a `pg_dump` each, behind the roles and tablespaces of the
   * server (`pg_dumpall --globals-only`, as a superuser). Each is of an instant of its own. It does not go with `onlyDatabase`.
   *
   * @default - all of them, or `onlyDatabase`
   */
  readonly databases?: string[];
}

/**
 * Dumps a PostgreSQL server to a store on a schedule, by its own `pg_dumpall` (or one database by `pg_dump`).
 *
 * Its main child is a CronJob, so a dump by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new PostgresDump(chart, 'orders-dump', {
 *   host: 'orders-db',
 *   credentials: Secret.fromSecretName(chart, 'login', 'orders-db'),
 *   serverImage: 'postgres:17',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 *   schedule: BackupSchedule.daily({ hour: 2 }),
 * });
 */
export class PostgresDump extends DatabaseDump {
  constructor(scope: Construct, id: string, props: PostgresDumpProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _dumped({ onlyDatabase: only, databases }: PostgresDumpProps): DumpDefinition {
    if (databases !== undefined) checkDatabases(this, databases, only);
    return { ...POSTGRES, only, databases };
  }
}

function checkDatabases(construct: Construct, databases: readonly string[], only: string | undefined): void {
  if (only !== undefined) {
    throw invalid(
      construct,
      `has onlyDatabase ${only}, and databases ${databases.join(', ')}`,
      'leave one of them out',
    );
  }
  if (databases.length === 0)
    throw invalid(construct, 'has an empty list of databases', 'leave it out for all of them');
  const twice = databases.find((database, at) => databases.indexOf(database) !== at);
  if (twice !== undefined) throw invalid(construct, `names the database ${twice} twice`, 'name each once');
}

/** Properties of a {@link PostgresDumpRestore}. */
export interface PostgresDumpRestoreProps extends SelectiveRestoreProps {}

/**
 * Restores a dump into an empty PostgreSQL server, by its own `psql`: how a new database begins as a copy of another.
 *
 * @example
 * new PostgresDumpRestore(chart, 'orders-copy', {
 *   database: 'orders-dump',
 *   backup: '20261121020000',
 *   host: 'orders-copy',
 *   credentials: Secret.fromSecretName(chart, 'copy-login', 'orders-copy'),
 *   serverImage: 'postgres:17',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 * });
 */
export class PostgresDumpRestore extends ServerDumpRestore {
  constructor(scope: Construct, id: string, props: PostgresDumpRestoreProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _restored({ onlyDatabase: only }: PostgresDumpRestoreProps): DumpDefinition {
    return { ...POSTGRES, only };
  }
}
