/** A throw-away server on prepared files: its command, and what it says of itself once it accepts connections. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackupRecord } from '../../../src/contract';
import type { Inspection, PreparedFiles, ServerCommand, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Finding } from '../../ports';
import { compareWithRecord } from './compare';
import { Connection, type ConnectionUse } from './connection';
import { readServer, type ServerFacts } from './facts';
import { type Ask, readPosition } from './position';
import { recordedDialect } from './recorded';

export const PORT = 3306;
const RETRY_MS = 200;

/** Where the files are and how they are laid out: without these the server does not find or understand them. */
const AS_ORIGINAL = [
  'innodb_data_file_path',
  'innodb_data_home_dir',
  'innodb_doublewrite_dir',
  'innodb_log_group_home_dir',
  'innodb_page_size',
  'innodb_undo_directory',
  'lower_case_table_names',
] as const;

/**
 * The command of the server. It reads no configuration file: the original's may name plugins, certificates and sources
 * that are not there. Without the binary log of the original, transactions that were about to commit could not be decided.
 *
 * Whoever reaches the socket is in the same pod, and is let in without a password; there is no network.
 */
export function serverCommand(record: BackupRecord, prepared: PreparedFiles, socketDirectory: string): ServerCommand {
  const client = recordedDialect(record).daemon === 'mariadbd' ? 'mariadb' : 'mysql';
  return {
    command: detachedCommand(record, prepared, socketDirectory, ['--skip-networking', '--skip-grant-tables']),
    client: [client, `--socket=${socketOf(socketDirectory)}`, '--user=root'],
  };
}

/** A server that reads no file of the original's, and replicates from nobody; with some arguments of its own. */
export function detachedCommand(
  record: BackupRecord,
  prepared: PreparedFiles,
  socketDirectory: string,
  own: readonly string[],
): readonly string[] {
  const dialect = recordedDialect(record);
  const original = record.settings ?? {};
  const option = (name: string, value: string): string => `--${name.replaceAll('_', '-')}=${value}`;
  const asOriginal = AS_ORIGINAL.flatMap((name) => (original[name] ? [option(name, original[name])] : []));
  const logs =
    original.log_bin === 'ON'
      ? [
          option('log_bin', original.log_bin_basename ?? ''),
          ...(original.log_bin_index ? [option('log_bin_index', original.log_bin_index)] : []),
          ...(original.gtid_mode === 'ON' ? ['--gtid-mode=ON', '--enforce-gtid-consistency=ON'] : []),
        ]
      : ['--skip-log-bin'];
  return [
    dialect.daemon,
    '--no-defaults',
    option('datadir', prepared.dataPath),
    option('socket', socketOf(socketDirectory)),
    option('pid_file', join(socketDirectory, 'mysqld.pid')),
    ...own,
    '--server-id=1',
    ...logs,
    ...asOriginal,
    ...dialect.detachedArguments,
  ];
}

/** Waits until the server accepts connections, and compares it with the record. */
export async function inspect(socketDirectory: string, record: BackupRecord, signal: AbortSignal): Promise<Inspection> {
  const connection = await connect(socketDirectory, signal);
  try {
    const ask: Ask = (what, sql) => connection.rows(what, sql, [], signal);
    const server = await readServer(connection, signal);
    const position = await readPosition(ask, server);
    return {
      version: server.version,
      identity: server.identity,
      position: { ...position },
      findings: [
        ownName(server, record),
        ...(await compareWithRecord(ask, position, record)),
        ...(await checkTables(ask)),
      ],
    };
  } finally {
    await connection.close();
  }
}

/** A copy under the original's server_uuid would be taken for it by every replica. */
function ownName({ identity, version }: ServerFacts, { serverIdentity, serverVersion }: BackupRecord): Finding {
  const same = identity.serverUuid !== undefined && identity.serverUuid === serverIdentity?.serverUuid;
  return same
    ? finding('error', 'identity', `it still has the server_uuid of the original, ${identity.serverUuid ?? ''}`)
    : finding(
        'ok',
        'identity',
        `it is a server of its own, of version ${version} (the original: ${serverVersion ?? 'unknown'})`,
      );
}

const TABLES = `
  SELECT table_schema AS db, table_name AS name FROM information_schema.TABLES
   WHERE table_type = 'BASE TABLE' AND engine = 'InnoDB'
     AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
   ORDER BY data_length LIMIT 20`;

/** A light check: the twenty smallest tables. A whole check is the business of a verification. */
async function checkTables(ask: Ask): Promise<readonly Finding[]> {
  const tables = await ask('listing the tables', TABLES);
  if (tables.length === 0) return [];
  const names = tables.map(({ db, name }) => `${quoted(db ?? '')}.${quoted(name ?? '')}`);
  const told = await ask('checking tables', `CHECK TABLE ${names.join(', ')} QUICK`);
  const bad = told.filter(
    ({ Msg_type, Msg_text }) => Msg_type === 'error' || (Msg_type === 'status' && Msg_text !== 'OK'),
  );
  return bad.length === 0
    ? [finding('ok', 'tables', `CHECK TABLE finds nothing wrong with ${names.length} tables`)]
    : bad.map(({ Table, Msg_text }) => finding('error', `table ${Table}`, `CHECK TABLE says of ${Table}: ${Msg_text}`));
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** Tries until it works: before recovery has ended, the socket is not there. */
export async function connect(
  socketDirectory: string,
  signal: AbortSignal,
  how: ConnectionUse = {},
): Promise<Connection> {
  const host = socketOf(socketDirectory);
  const target: Target = {
    connection: { host, port: PORT, usernameFile: '' },
    username: 'root',
    password: undefined,
    tls: undefined,
  };
  for (;;) {
    try {
      return await Connection.open(target, { host, port: PORT, name: host }, signal, how);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StillpointError) || error.code !== 'server-unreachable') throw error;
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function socketOf(socketDirectory: string): string {
  return join(socketDirectory, 'mysqld.sock');
}

function finding(severity: 'ok' | 'error', subject: string, message: string): Finding {
  return { severity, code: severity === 'ok' ? 'ok' : 'restore-differs', subject, message };
}
