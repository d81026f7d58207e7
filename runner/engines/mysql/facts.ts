/** Reads what a server says of itself: who it is, where its files are, how it is set. */
import { dirname, isAbsolute, join, normalize } from 'node:path';
import type { Server, ServerPath } from '../../engine';
import { StillpointError } from '../../errors';
import type { Connection, Row } from './connection';
import { type Dialect, dialectOf } from './versions';

/** What names the running server: the same before the first cut and after the last, or there is no backup. */
export type Identity = Readonly<Record<string, string>>;

/** All that is read once, when a session opens. */
export interface ServerFacts extends Server {
  readonly dialect: Dialect;
  readonly hostname: string;
  /** The port that the server itself listens at; a Service may have another. */
  readonly port: number;
  readonly identity: Identity;
  /** `stillpoint@%`: the account, not the name that was given. */
  readonly account: string;
  readonly connectionId: string;
}

/** What of the configuration a restore needs, or qualifies what the copy is worth. Never what may hold a password. */
const SETTINGS = [
  'aria_log_dir_path',
  'binlog_format',
  'datadir',
  'event_scheduler',
  'gtid_mode',
  'innodb_data_file_path',
  'innodb_data_home_dir',
  'innodb_doublewrite',
  'innodb_doublewrite_dir',
  'innodb_flush_log_at_trx_commit',
  'innodb_flush_method',
  'innodb_log_group_home_dir',
  'innodb_page_size',
  'innodb_undo_directory',
  'innodb_undo_tablespaces',
  'log_bin',
  'log_bin_basename',
  'log_bin_index',
  'lower_case_table_names',
  'replica_parallel_workers',
  'replica_preserve_commit_order',
  'server_id',
  'slave_parallel_threads',
  'slave_parallel_workers',
  'slave_preserve_commit_order',
  'sync_binlog',
  'version_comment',
  'wsrep_on',
] as const;

/** Everything that is read once. */
export async function readServer(connection: Connection, signal: AbortSignal): Promise<ServerFacts> {
  const server = await connection.row(
    'reading the version of the server',
    'SELECT VERSION() AS version, @@hostname AS hostname, @@port AS port, CURRENT_USER() AS account, CONNECTION_ID() AS id',
    [],
    signal,
  );
  const dialect = dialectOf(server.version ?? '');
  return {
    address: undefined,
    hostname: server.hostname ?? '',
    port: Number(server.port),
    // MariaDB's begins with 5.5.5- on some old paths, and both may end with what was built in.
    version: /\d+\.\d+\.\d+/.exec((server.version ?? '').replace(/^5\.5\.5-/, ''))?.[0] ?? server.version ?? '',
    flavour: dialect.flavour,
    dialect,
    identity: await readIdentity(connection, dialect, signal),
    settings: { ...(await readSettings(connection, signal)), flavour: dialect.flavour },
    account: server.account ?? '',
    connectionId: server.id ?? '',
  };
}

/** Who the server is. Its facts are those that every connection to the same running server reads alike. */
export async function readIdentity(connection: Connection, dialect: Dialect, signal?: AbortSignal): Promise<Identity> {
  const { connection: _, ...identity } = await readOwnIdentity(connection, dialect, signal);
  return identity;
}

/** Who the server is, and which of its connections this is: in one statement, since it is asked while writes wait. */
export async function readOwnIdentity(
  connection: Connection,
  dialect: Dialect,
  signal?: AbortSignal,
): Promise<Identity & { readonly connection: string }> {
  // Both times are those of the beginning of the statement, so their difference is the same at any time.
  const sql = `
    SELECT CONNECTION_ID() AS id, @@hostname AS hostname, @@server_id AS serverId,
           ${dialect.identity === 'server_uuid' ? '@@server_uuid' : 'NULL'} AS serverUuid,
           CAST(UNIX_TIMESTAMP() - variable_value AS SIGNED) AS started
      FROM ${dialect.statusTable} WHERE variable_name = 'Uptime'`;
  const { id, hostname, serverId, serverUuid, started } = await connection.row(
    'reading who the server is',
    sql,
    [],
    signal,
  );
  return {
    hostname: hostname ?? '',
    serverId: serverId ?? '',
    ...(typeof serverUuid === 'string' ? { serverUuid } : {}),
    started: new Date(Number(started) * 1000).toISOString(),
    connection: id ?? '',
  };
}

async function readSettings(connection: Connection, signal: AbortSignal): Promise<Record<string, string>> {
  const names = SETTINGS.map((name) => `'${name}'`).join(', ');
  const sql = `SHOW GLOBAL VARIABLES WHERE variable_name IN (${names})`;
  const rows = await connection.rows('reading the settings of the server', sql, [], signal);
  return Object.fromEntries(rows.map((row) => [row.Variable_name ?? '', row.Value ?? '']));
}

/** The folders that InnoDB's files lie in, besides those of its tables. They have to be cut at one instant. */
export function innodbFolders(settings: Readonly<Record<string, string>>): readonly { what: string; path: string }[] {
  const data = dataDirectory(settings);
  const folder = (name: string, otherwise = data): string => absolute(data, settings[name] || otherwise);
  return [
    { what: 'innodb_data_home_dir', path: folder('innodb_data_home_dir') },
    { what: 'innodb_log_group_home_dir', path: folder('innodb_log_group_home_dir') },
    { what: 'innodb_undo_directory', path: folder('innodb_undo_directory') },
    { what: 'innodb_doublewrite_dir', path: folder('innodb_doublewrite_dir', folder('innodb_data_home_dir')) },
  ];
}

/** The data directory, without the slash that the server writes at its end. */
export function dataDirectory(settings: Readonly<Record<string, string>>): string {
  return withoutSlash(settings.datadir ?? '');
}

/** The folder of the binary log; undefined where there is none. */
export function binlogFolder(settings: Readonly<Record<string, string>>): string | undefined {
  const base = settings.log_bin_basename ?? '';
  return settings.log_bin === 'ON' && base !== '' ? dirname(absolute(dataDirectory(settings), base)) : undefined;
}

/** All of the server's own paths: the data directory, InnoDB's folders and files elsewhere, the binary log. */
export async function readPaths(connection: Connection, server: ServerFacts): Promise<readonly ServerPath[]> {
  const { settings, dialect } = server;
  const data = dataDirectory(settings);
  const files = await connection.rows("reading where InnoDB's files are", dialect.dataFiles).catch(unseen);
  const elsewhere = files.map(({ path }) => absolute(data, path ?? '')).filter((path) => !isWithin(path, data));
  const binlog = binlogFolder(settings);
  return [
    { role: 'data', what: 'datadir', path: data },
    ...innodbFolders(settings)
      .filter(({ path }) => path !== data)
      .map(({ what, path }) => ({ role: 'tablespace' as const, what, path })),
    ...[...new Set(elsewhere)].map((path) => ({ role: 'tablespace' as const, what: 'InnoDB data file', path })),
    ...(binlog === undefined ? [] : [{ role: 'log' as const, what: 'log_bin_basename', path: binlog }]),
  ];
}

/** Without the privilege there are no files to see, and the checks refuse the account, with the statement that grants it. */
function unseen(error: unknown): readonly Row[] {
  if (error instanceof StillpointError && error.code === 'privilege-missing') return [];
  throw error;
}

function absolute(data: string, path: string): string {
  return withoutSlash(normalize(isAbsolute(path) ? path : join(data, path)));
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

/** Whether a path is a folder or lies in it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Whether a variable is on, in either way of writing it. */
export function isOn(value: Row[string] | undefined): boolean {
  return value === 'ON' || value === '1';
}
