/** A throw-away server on prepared files: its command, and what it says of itself once it accepts connections. */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackupRecord } from '../../../src/contract';
import type { Inspection, PreparedFiles, ServerCommand, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Finding } from '../../ports';
import { Connection } from './connection';
import { quietLibraries } from './detach';
import { codeOf } from './errors';
import { readServer, type ServerFacts } from './facts';
import { SERVER_FILES } from './prepare';

export const PORT = 5432;
const RETRY_MS = 200;

/** Recovery stops where these are lower than on the server that wrote the log. */
const AT_LEAST_AS_ORIGINAL = [
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'max_wal_senders',
  'max_worker_processes',
];

/**
 * The command of the server. It reads an empty configuration file: the original's may include files, certificates and
 * log folders that are not there. Arguments override all files.
 */
export function serverCommand(record: BackupRecord, prepared: PreparedFiles, socketDirectory: string): ServerCommand {
  return {
    command: detachedCommand(record, prepared, {
      unix_socket_directories: socketDirectory,
      // Reached by `kubectl port-forward`, and by nobody else.
      listen_addresses: '127.0.0.1',
    }),
    port: PORT,
    client: ['psql', '-h', socketDirectory, '-U', superuserOf(record), 'postgres'],
  };
}

/** A server that reads no file of the original's, and reaches out to nobody; with some settings of its own. */
export function detachedCommand(
  record: BackupRecord,
  prepared: PreparedFiles,
  own: Readonly<Record<string, string>>,
): readonly string[] {
  const original = record.settings ?? {};
  const libraries = quietLibraries(original.shared_preload_libraries ?? '');
  const settings: Record<string, string> = {
    config_file: join(prepared.dataPath, SERVER_FILES.config),
    hba_file: join(prepared.dataPath, SERVER_FILES.hba),
    ...own,
    port: String(PORT),
    // No connection before recovery has ended: what is seen is the end.
    hot_standby: 'off',
    ssl: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    archive_mode: 'off',
    external_pid_file: '',
    ...(libraries === '' ? {} : { shared_preload_libraries: libraries }),
  };
  for (const name of AT_LEAST_AS_ORIGINAL) {
    const value = original[name];
    if (value !== undefined) settings[name] = value;
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['postgres', '-D', prepared.dataPath, ...flags];
}

/** Waits until the server accepts connections, and compares it with the record. */
export async function inspect(socketDirectory: string, record: BackupRecord, signal: AbortSignal): Promise<Inspection> {
  const connection = await connect(socketDirectory, record, signal);
  try {
    const server = await readServer(connection, signal);
    const recorded = record.position?.lsn ?? '0/0';
    const sql = `
      SELECT pg_is_in_recovery()::text AS recovering, pg_current_wal_lsn()::text AS lsn,
             (pg_current_wal_lsn() >= $1::pg_lsn)::text AS reached`;
    const { recovering, lsn, reached } = await connection.row('reading the position', sql, [recorded], signal);
    return {
      version: server.version,
      identity: server.identity,
      position: { lsn: lsn ?? '', timeline: server.identity.timeline },
      findings: [
        sameCluster(server, record),
        expectation(
          reached === 'true' && recovering === 'false',
          'position',
          `its position ${lsn} is not behind the recorded ${recorded}`,
          `its position ${lsn} is behind the recorded ${recorded}: what was committed there is missing`,
        ),
      ],
    };
  } finally {
    await connection.close();
  }
}

function sameCluster({ identity, version }: ServerFacts, { serverIdentity, serverVersion }: BackupRecord): Finding {
  const expected = serverIdentity?.systemIdentifier;
  if (serverIdentity === undefined) {
    const message = `it is the database cluster ${identity.systemIdentifier}, on PostgreSQL ${version}; the record knows of no server`;
    return { severity: 'warning', code: 'ok', subject: 'identity', message };
  }
  return expectation(
    identity.systemIdentifier === expected,
    'identity',
    `it is the database cluster ${identity.systemIdentifier} of the record, on PostgreSQL ${version} (then ${serverVersion ?? 'unknown'})`,
    `it is the database cluster ${identity.systemIdentifier}, the record says ${expected ?? 'nothing'}`,
  );
}

function expectation(holds: boolean, subject: string, yes: string, no: string): Finding {
  return holds
    ? { severity: 'ok', code: 'ok', subject, message: yes }
    : { severity: 'error', code: 'restore-differs', subject, message: no };
}

/** Tries until it works: before recovery has ended, the socket is not there, or says that the server is starting up. */
export async function connect(socketDirectory: string, record: BackupRecord, signal: AbortSignal): Promise<Connection> {
  let database = 'postgres';
  for (;;) {
    try {
      return await Connection.open(targetOf(socketDirectory, record, database), endpoint(socketDirectory), signal);
    } catch (error) {
      signal.throwIfAborted();
      // Somebody has dropped the database postgres: template1 is always there.
      if (sqlState(error) === '3D000' && database === 'postgres') database = 'template1';
      else if (!(error instanceof StillpointError) || error.code !== 'server-unreachable') throw error;
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function endpoint(host: string): Connection['endpoint'] {
  return { host, port: PORT, name: host };
}

function sqlState(error: unknown): string | undefined {
  return error instanceof StillpointError ? codeOf(error.cause) : undefined;
}

function targetOf(host: string, record: BackupRecord, database: string): Target {
  return {
    connection: { host, port: PORT, database, usernameFile: '' },
    username: superuserOf(record),
    password: undefined,
    tls: undefined,
  };
}

export function superuserOf({ settings }: BackupRecord): string {
  return settings?.bootstrap_superuser ?? 'postgres';
}
