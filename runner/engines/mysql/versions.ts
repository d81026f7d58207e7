/** What differs between MySQL and MariaDB and their versions, all of it. */

/** What answers: MySQL itself (Percona Server is one), or MariaDB. */
export type Flavour = 'mysql' | 'mariadb';

/** What is held while the volumes are cut. */
export type Mode = 'none' | 'instance' | 'global';

/** The statements that take a lock on the session, in order, and those that release it. */
export interface Lock {
  readonly acquire: readonly string[];
  readonly release: readonly string[];
}

/** A server's flavour and version, and what it calls things. */
export interface Dialect {
  readonly flavour: Flavour;
  /** As MySQL counts: 80400, 110806. */
  readonly number: number;
  /** `8.4`, `11.8`. */
  readonly series: string;
  readonly supported: boolean;
  /** By mode; undefined where the server has no such lock. */
  readonly locks: Readonly<Record<Mode, Lock | undefined>>;
  /** Shows the newest binary log and the position in it. */
  readonly binlogStatus: string;
  /** The expression for the transactions that the binary log holds. */
  readonly gtid: string;
  readonly replicaStatus: string;
  /** The expression for the transactions that a replica has of its source, where `gtid` does not have them. */
  readonly sourceGtid: string | undefined;
  /** Where each worker of a replica has come to in the source's log, and where their last checkpoint was. */
  readonly workerPositions: string | undefined;
  readonly checkpointPosition: string | undefined;
  /** The global privileges that each mode needs. */
  readonly privileges: Readonly<Record<Mode, readonly string[]>>;
  /** The system variable that names the server's own files, or its host: MySQL keeps one in auto.cnf. */
  readonly identity: 'server_uuid' | 'hostname';
  /** A table of status variables that may be selected from. */
  readonly statusTable: string;
  /** Which running statements the lock of `global` has to wait for. */
  readonly waitsFor: string;
  /** Where the session's own locks can be read; MariaDB says it by refusing a stage that is reached already. */
  readonly ownLocks: string | undefined;
  /** Sessions of others that hold a lock as ours; undefined where they cannot be seen. */
  readonly othersLocks: string | undefined;
  /** InnoDB's data files: the paths as the server has them. */
  readonly dataFiles: string;
  /** Whether settings that the data directory itself holds (mysqld-auto.cnf) can keep a copy from replicating. */
  readonly persistsSettings: boolean;
  /** The program of a throw-away server. */
  readonly daemon: string;
  /** Its arguments that only this flavour and version knows. */
  readonly detachedArguments: readonly string[];
}

/** The versions that are supported, for messages. */
export const SUPPORTED = 'MySQL 5.7 to 9 and MariaDB 10.4 to 12';

/** The error of a MariaDB that is asked for a backup stage that it has reached already: ER_BACKUP_WRONG_STAGE. */
export const STAGE_REACHED = 4147;

const NO_LOCK: Lock = { acquire: [], release: [] };

/** The dialect of a server by its `VERSION()`. */
export function dialectOf(version: string): Dialect {
  const [, major = '0', minor = '0', patch = '0'] = /(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  const number = Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
  const series = `${major}.${minor}`;
  return /mariadb/i.test(version) ? mariadb(number, series) : mysql(number, series);
}

function mysql(number: number, series: string): Dialect {
  const from = (version: number): boolean => number >= version;
  const reads = ['REPLICATION CLIENT', 'PROCESS', 'SHOW VIEW'];
  return {
    flavour: 'mysql',
    number,
    series,
    supported: from(50_700) && number < 100_000,
    locks: {
      none: NO_LOCK,
      instance: from(80_000) ? { acquire: [LOCK_INSTANCE], release: ['UNLOCK INSTANCE'] } : undefined,
      global: {
        // LOCAL keeps the flush out of the binary log. It comes first so that less is left to flush under the lock.
        acquire: ['FLUSH LOCAL TABLES', ...(from(80_000) ? [LOCK_INSTANCE] : []), 'FLUSH TABLES WITH READ LOCK'],
        release: ['UNLOCK TABLES', ...(from(80_000) ? ['UNLOCK INSTANCE'] : [])],
      },
    },
    // The older name is gone from 8.4 on.
    binlogStatus: from(80_200) ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
    gtid: '@@GLOBAL.gtid_executed',
    replicaStatus: from(80_022) ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS',
    sourceGtid: undefined,
    workerPositions: 'SELECT master_log_name AS file, master_log_pos AS position FROM mysql.slave_worker_info',
    checkpointPosition: 'SELECT master_log_name AS file, master_log_pos AS position FROM mysql.slave_relay_log_info',
    privileges: {
      none: reads,
      instance: [...reads, 'BACKUP_ADMIN'],
      global: [...reads, 'RELOAD', ...(from(80_000) ? ['BACKUP_ADMIN'] : [])],
    },
    identity: 'server_uuid',
    statusTable: 'performance_schema.global_status',
    // The read lock waits for every statement, SELECT included, and what comes after it queues up behind.
    waitsFor: 'TRUE',
    ownLocks: from(80_000) ? MYSQL_OWN_LOCKS : undefined,
    othersLocks: from(80_000) ? MYSQL_OTHERS_LOCKS : undefined,
    dataFiles: from(80_000)
      ? 'SELECT path FROM information_schema.INNODB_DATAFILES'
      : 'SELECT path FROM information_schema.INNODB_SYS_DATAFILES',
    // skip_replica_start can be persisted since it has that name.
    persistsSettings: from(80_026),
    daemon: 'mysqld',
    detachedArguments: [
      '--skip-slave-start',
      '--event-scheduler=OFF',
      '--secure-file-priv=NULL',
      ...(from(80_000) ? ['--mysqlx=OFF', '--persisted-globals-load=OFF'] : []),
    ],
  };
}

const LOCK_INSTANCE = 'LOCK INSTANCE FOR BACKUP';

const MYSQL_OWN_LOCKS = `
  SELECT object_type AS kind, lock_type AS type FROM performance_schema.metadata_locks
   WHERE owner_thread_id = PS_CURRENT_THREAD_ID() AND lock_status = 'GRANTED'
     AND object_type IN ('GLOBAL', 'COMMIT', 'BACKUP LOCK') ORDER BY 1, 2`;

const MYSQL_OTHERS_LOCKS = `
  SELECT t.processlist_id AS id, t.processlist_user AS user
    FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id
   WHERE l.object_type IN ('GLOBAL', 'BACKUP LOCK') AND l.lock_type = 'SHARED' AND l.lock_status = 'GRANTED'
     AND t.thread_id <> PS_CURRENT_THREAD_ID() AND t.processlist_id IS NOT NULL`;

function mariadb(number: number, series: string): Dialect {
  const from = (version: number): boolean => number >= version;
  const release = ['BACKUP STAGE END'];
  const reads = [from(100_502) ? 'BINLOG MONITOR' : 'REPLICATION CLIENT', 'PROCESS', 'SHOW VIEW'];
  const replicas = from(100_505) ? ['SLAVE MONITOR'] : [];
  return {
    flavour: 'mariadb',
    number,
    series,
    supported: from(100_400) && number < 130_000,
    locks: {
      none: NO_LOCK,
      // The server goes through the stages that are left out by itself.
      instance: { acquire: ['BACKUP STAGE START', 'BACKUP STAGE BLOCK_DDL'], release },
      global: { acquire: ['BACKUP STAGE START', 'BACKUP STAGE BLOCK_COMMIT'], release },
    },
    binlogStatus: from(100_502) ? 'SHOW BINLOG STATUS' : 'SHOW MASTER STATUS',
    gtid: '@@GLOBAL.gtid_binlog_pos',
    replicaStatus: 'SHOW ALL SLAVES STATUS',
    // Its binary log has them only with log_slave_updates, which is off by default; a table of InnoDB has them always.
    sourceGtid: '@@GLOBAL.gtid_slave_pos',
    workerPositions: undefined,
    checkpointPosition: undefined,
    privileges: {
      none: [...reads, ...replicas],
      instance: [...reads, ...replicas, 'RELOAD'],
      global: [...reads, ...replicas, 'RELOAD'],
    },
    identity: 'hostname',
    statusTable: 'information_schema.GLOBAL_STATUS',
    // Commits and DDL are waited for; what only reads is not in the way.
    waitsFor: "UPPER(LEFT(LTRIM(COALESCE(info, '')), 6)) <> 'SELECT'",
    ownLocks: undefined,
    // A second backup stage waits for the first to end: lock_wait_timeout ends that.
    othersLocks: undefined,
    dataFiles: 'SELECT filename AS path FROM information_schema.INNODB_SYS_TABLESPACES WHERE filename IS NOT NULL',
    persistsSettings: false,
    daemon: from(100_500) ? 'mariadbd' : 'mysqld',
    detachedArguments: ['--skip-slave-start', '--event-scheduler=OFF', '--aria-log-dir-path=.'],
  };
}
