/** A throw-away server on prepared files: its command, and what it says of itself once it accepts connections. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackupRecord } from '../../../src/contract';
import { type Inspection, NO_TARGET, type PreparedFiles, type ServerCommand } from '../../engine';
import { StillpointError } from '../../errors';
import type { Finding } from '../../ports';
import { compare } from './compare';
import { Connection } from './connection';
import { type DatabaseFacts, readServer } from './facts';
import { positionOf } from './session';
import { SETTINGS_FOLDER } from './settings';

const HOST = '127.0.0.1';
const PORT = 7687;
const RETRY_MS = 500;

/** Started with the settings that {@link prepare} wrote, and none of the original's: it listens in its own pod alone. */
export function serverCommand(_record: BackupRecord, { dataPath }: PreparedFiles): ServerCommand {
  return {
    command: ['env', `NEO4J_CONF=${join(dataPath, SETTINGS_FOLDER)}`, 'neo4j', 'console'],
    port: PORT,
    client: ['cypher-shell', '-a', `bolt://${HOST}:${PORT}`],
  };
}

/** Waits until the server accepts connections and its databases are online, and compares it with the record. */
export async function inspect(_socket: string, record: BackupRecord, signal: AbortSignal): Promise<Inspection> {
  const connection = await connect(signal);
  try {
    const server = await readServer(connection, signal);
    const position = await positionOf(connection, signal);
    return {
      version: server.version,
      identity: server.identity,
      position,
      findings: [...compare(server, position, record), ...server.databases.map(onlineFinding)],
    };
  } finally {
    await connection.close();
  }
}

function onlineFinding({ name, status }: DatabaseFacts): Finding {
  const subject = `database ${name}`;
  return status === 'online'
    ? { severity: 'ok', code: 'ok', subject, message: `database ${name} is online` }
    : { severity: 'error', code: 'restore-differs', subject, message: `database ${name} is ${status}` };
}

/** Tries until it works: before recovery has ended, nobody listens, and a database may come later than its server. */
async function connect(signal: AbortSignal): Promise<Connection> {
  for (;;) {
    try {
      return await Connection.open(NO_TARGET, { host: HOST, port: PORT, name: HOST }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StillpointError) || error.code !== 'server-unreachable') throw error;
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
