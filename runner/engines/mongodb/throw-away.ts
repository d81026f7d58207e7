/** A throw-away server on prepared files: its command, and what it says of itself once it accepts connections. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BackupRecord } from '../../../src/contract';
import type { Inspection, PreparedFiles, ServerCommand, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Finding } from '../../ports';
import { comparePosition } from './compare';
import { Connection } from './connection';
import { readServer } from './facts';
import { listAt, type Reply, textAt, timestampAt } from './reply';

const HOST = '127.0.0.1';
const PORT = 27017;
const RETRY_MS = 200;

/** A light check: so many collections. A whole one is the business of a verification. */
const CHECKED = 20;

/**
 * The command of the server. It is no member of a set, so it looks for nobody; it listens in its own pod alone, and asks
 * for no login there. It reads no configuration file.
 *
 * A copy of a member ends at a checkpoint and has what came after in its oplog: a server of no set does not apply that by
 * itself. With this parameter it does, and is then read-only. [doc: SERVER-41792, SERVER-52950]
 */
export function serverCommand(record: BackupRecord, prepared: PreparedFiles, socketDirectory: string): ServerCommand {
  const { directoryPerDB, directoryForIndexes, clusterRole } = record.settings ?? {};
  const isMember = record.serverIdentity?.setName !== undefined;
  return {
    command: [
      'mongod',
      `--dbpath=${prepared.dataPath}`,
      `--bind_ip=${HOST}`,
      `--port=${PORT}`,
      `--unixSocketPrefix=${socketDirectory}`,
      ...(directoryPerDB === 'true' ? ['--directoryperdb'] : []),
      ...(directoryForIndexes === 'true' ? ['--wiredTigerDirectoryForIndexes'] : []),
      ...(isMember ? ['--setParameter', 'recoverFromOplogAsStandalone=true'] : []),
      // The files say that they are a shard's, or the config servers'; without this they start as nothing else. [doc]
      ...(clusterRole === undefined ? [] : ['--setParameter', 'skipShardingConfigurationChecks=true']),
    ],
    port: PORT,
    client: ['mongosh', `mongodb://${HOST}:${PORT}`],
  };
}

/** Waits until the server accepts connections, and compares it with the record. */
export async function inspect(_socket: string, record: BackupRecord, signal: AbortSignal): Promise<Inspection> {
  const connection = await connect(signal);
  try {
    const server = await readServer(connection, signal);
    const newest = await newestOperation(connection, signal);
    return {
      version: server.version,
      identity: server.identity,
      position: newest === undefined ? {} : { opTime: newest },
      findings: [...comparePosition(newest, record), ...(await checkCollections(connection, signal))],
    };
  } finally {
    await connection.close();
  }
}

/** The newest entry of the oplog; undefined where there is none. */
async function newestOperation(connection: Connection, signal: AbortSignal): Promise<string | undefined> {
  const named = { listCollections: 1, filter: { name: 'oplog.rs' } };
  const there = await connection.command('looking for the oplog', named, signal, 'local');
  if (listAt(there, 'cursor.firstBatch').length === 0) return undefined;
  const last = { find: 'oplog.rs', sort: { $natural: -1 }, limit: 1, projection: { ts: 1 } };
  const answer = await connection.command('reading the end of the oplog', last, signal, 'local');
  return timestampAt(listAt(answer, 'cursor.firstBatch')[0], 'ts');
}

async function checkCollections(connection: Connection, signal: AbortSignal): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const { db, name } of await listCollections(connection, signal)) {
    const answer = await connection.command(`checking ${db}.${name}`, { validate: name }, signal, db);
    if (answer.valid === true) continue;
    const first = (answer.errors as readonly unknown[] | undefined)?.[0];
    found.push(finding('error', `collection ${db}.${name}`, `validate says of ${db}.${name}: ${String(first)}`));
  }
  if (found.length > 0) return found;
  return [finding('ok', 'collections', `validate finds nothing wrong with up to ${CHECKED} collections`)];
}

async function listCollections(
  connection: Connection,
  signal: AbortSignal,
): Promise<readonly { readonly db: string; readonly name: string }[]> {
  const databases = await connection.command('listing the databases', { listDatabases: 1, nameOnly: true }, signal);
  const all: { db: string; name: string }[] = [];
  for (const database of listAt(databases, 'databases')) {
    const db = textAt(database, 'name') ?? '';
    if (db === 'local') continue;
    const answer = await connection.command(`listing the collections of ${db}`, { listCollections: 1 }, signal, db);
    all.push(...names(answer).map((name) => ({ db, name })));
  }
  return all.slice(0, CHECKED);
}

/** Views have nothing to check. */
function names(answer: Reply): readonly string[] {
  return listAt(answer, 'cursor.firstBatch')
    .filter((collection) => textAt(collection, 'type') === 'collection')
    .map((collection) => textAt(collection, 'name') ?? '');
}

/** Tries until it works: before recovery has ended, nobody listens. */
async function connect(signal: AbortSignal): Promise<Connection> {
  const target: Target = {
    connection: { host: HOST, port: PORT, usernameFile: '' },
    username: '',
    password: undefined,
    tls: undefined,
  };
  for (;;) {
    try {
      return await Connection.open(target, { host: HOST, port: PORT, name: HOST }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StillpointError) || error.code !== 'server-unreachable') throw error;
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function finding(severity: 'ok' | 'error', subject: string, message: string): Finding {
  return { severity, code: severity === 'ok' ? 'ok' : 'restore-differs', subject, message };
}
