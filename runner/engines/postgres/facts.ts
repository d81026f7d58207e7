/** Reads what a server says of itself: who it is, where its files are, how it is set. */
import type { Server, ServerPath } from '../../engine';
import type { Connection, Row } from './connection';
import { type Dialect, dialectOf } from './versions';

/** What names the running server: the same before the first cut and after the last, or there is no backup. */
export type Identity = Readonly<Record<'systemIdentifier' | 'timeline' | 'role' | 'postmasterStart', string>>;

/** The same, with the process of a session. */
export type OwnIdentity = Identity & { readonly pid: string };

/** All that is read once, when a session opens. */
export interface ServerFacts extends Server {
  readonly dialect: Dialect;
  readonly port: string | undefined;
  readonly identity: Identity;
  readonly user: UserFacts;
}

/** What the user may do, beyond what a function's own privileges say. */
export interface UserFacts {
  readonly name: string;
  readonly superuser: boolean;
  readonly replication: boolean;
  readonly readsSettings: boolean;
}

/**
 * A primary's timeline is in the name of its current log file: pg_control has that of the last checkpoint, which after a
 * promotion is the old one for a while. A standby cannot name the file; its minimum recovery point has the timeline.
 */
const IDENTITY = `
  SELECT pg_backend_pid()::text AS pid, s.system_identifier::text AS "systemIdentifier",
         CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END AS role,
         to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "postmasterStart",
         CASE WHEN pg_is_in_recovery()
              THEN greatest(r.min_recovery_end_timeline, c.timeline_id)::text
              ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int::text END AS timeline
    FROM pg_control_system() s, pg_control_recovery() r, pg_control_checkpoint() c`;

const SERVER = `
  SELECT host(inet_server_addr()) AS address, inet_server_port()::text AS port,
         current_setting('server_version_num') AS number, current_setting('server_version') AS version,
         current_user::text AS "user", u.rolsuper::text AS superuser, u.rolreplication::text AS replication,
         pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')::text AS "readsSettings",
         (SELECT rolname::text FROM pg_roles WHERE oid = 10) AS "bootstrapSuperuser"
    FROM pg_roles u WHERE u.rolname = current_user`;

/** What of the configuration a restore needs, or qualifies what the copy is worth. Never what may hold a password. */
const SETTINGS = [
  'archive_mode',
  'block_size',
  'config_file',
  'data_checksums',
  'data_directory',
  'fsync',
  'full_page_writes',
  'hba_file',
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'max_wal_senders',
  'max_worker_processes',
  'shared_preload_libraries',
  'synchronous_commit',
  'wal_level',
  'wal_segment_size',
] as const;

/** Who the server is. Its facts are those that every connection to the same running server reads alike. */
export async function readIdentity(connection: Connection, signal?: AbortSignal): Promise<Identity> {
  const { pid: _, ...identity } = await readOwnIdentity(connection, signal);
  return identity;
}

/** Who the server is, and which of its processes serves this session: in one statement, since it is asked in the window. */
export async function readOwnIdentity(connection: Connection, signal?: AbortSignal): Promise<OwnIdentity> {
  return (await connection.row('reading who the server is', IDENTITY, [], signal)) as OwnIdentity;
}

/** Everything that is read once. */
export async function readServer(connection: Connection, signal: AbortSignal): Promise<ServerFacts> {
  const server = await connection.row('reading the version of the server', SERVER, [], signal);
  const identity = await readIdentity(connection, signal);
  return {
    address: server.address ?? undefined,
    port: server.port ?? undefined,
    version: (server.version ?? '').split(' ')[0] ?? '',
    dialect: dialectOf(Number(server.number)),
    identity,
    user: userFacts(server),
    settings: {
      ...(await readSettings(connection, signal)),
      server_version_num: server.number ?? '',
      bootstrap_superuser: server.bootstrapSuperuser ?? 'postgres',
      command_line: await readArguments(connection, signal),
    },
  };
}

function userFacts(row: Row): UserFacts {
  return {
    name: row.user ?? '',
    superuser: row.superuser === 'true',
    replication: row.replication === 'true',
    readsSettings: row.superuser === 'true' || row.readsSettings === 'true',
  };
}

/** pg_settings leaves out what the user may not see: no error, no row. */
async function readSettings(connection: Connection, signal: AbortSignal): Promise<Record<string, string>> {
  const sql = 'SELECT name, setting FROM pg_settings WHERE name = ANY ($1::text[])';
  const rows = await connection.rows('reading the settings of the server', sql, [`{${SETTINGS.join(',')}}`], signal);
  return Object.fromEntries(rows.map(({ name, setting }) => [name ?? '', setting ?? '']));
}

/** The names of the settings that the server was started with as arguments: they override what a restore writes. */
async function readArguments(connection: Connection, signal: AbortSignal): Promise<string> {
  const sql = `
    SELECT coalesce(string_agg(name, ',' ORDER BY name), '') AS names FROM pg_settings WHERE source = 'command line'`;
  return (await connection.row('reading the arguments of the server', sql, [], signal)).names ?? '';
}

/** The data directory and the tablespaces; where pg_wal leads is not among what the server tells (see locate-log.ts). */
export async function readPaths(connection: Connection, dataDirectory: string): Promise<readonly ServerPath[]> {
  const sql = `
    SELECT spcname::text AS name, pg_tablespace_location(oid) AS path
      FROM pg_tablespace WHERE pg_tablespace_location(oid) <> '' ORDER BY spcname`;
  const tablespaces = await connection.rows('reading the tablespaces', sql);
  return [
    { role: 'data', what: 'data_directory', path: dataDirectory },
    ...tablespaces.map(({ name, path }) => ({
      role: 'tablespace' as const,
      what: `tablespace ${name}`,
      // In-place tablespaces (from 15, for tests) have a path below the data directory.
      path: path?.startsWith('/') === true ? path : `${dataDirectory}/${path ?? ''}`,
    })),
  ];
}
