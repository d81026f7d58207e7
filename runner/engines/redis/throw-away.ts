/** A throw-away server on prepared files: its command, and what it says of itself once it has loaded them. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackupRecord } from '../../../src/contract';
import type { Inspection, PreparedFiles, ServerCommand, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Finding } from '../../ports';
import { compareWithRecord } from './compare';
import { Connection } from './connection';
import { identityOf, readInfo } from './facts';
import { positionOf } from './position';
import { isAppendOnly, recordedDialect } from './recorded';
import type { Info } from './replies';
import { dialectOf } from './versions';

export const PORT = 6379;
const RETRY_MS = 200;

/** Where the files are and how they are laid out. */
const AS_ORIGINAL = ['dbfilename', 'appenddirname', 'appendfilename', 'databases'] as const;

/**
 * The command of the server. It reads no configuration file: the original's may make it a replica, or name modules and
 * certificates that are not there. It evicts nothing, dumps nothing, and takes an append-only file that ends in the middle of a
 * command for what it is: not what the record says.
 *
 * Whoever reaches the socket is in the same pod, and is let in without a password; there is no network.
 */
export function serverCommand(record: BackupRecord, prepared: PreparedFiles, socketDirectory: string): ServerCommand {
  const { daemon, client } = recordedDialect(record);
  const socket = socketOf(socketDirectory);
  return {
    command: [
      daemon,
      ...['--port', '0'],
      ...['--unixsocket', socket],
      ...filesOf(record, prepared),
      ...['--aof-load-truncated', 'no'],
      ...['--auto-aof-rewrite-percentage', '0'],
      ...['--save', ''],
    ],
    client: [client, '-s', socket],
  };
}

/** Where the server of a record has its files, and which it reads. */
export function filesOf(record: BackupRecord, { dataPath }: Pick<PreparedFiles, 'dataPath'>): readonly string[] {
  const original = record.settings ?? {};
  return [
    ...['--dir', dataPath],
    ...AS_ORIGINAL.flatMap((name) => (original[name] ? [`--${name}`, original[name]] : [])),
    ...['--appendonly', keepsLog(record) ? 'yes' : 'no'],
  ];
}

/** Whether what is written on a copy goes into an append-only file; else it has to be dumped. */
export function keepsLog(record: BackupRecord): boolean {
  return isAppendOnly(record) || record.settings?.appendonly === 'yes';
}

/** Waits until the server has loaded its data, and compares it with the record. */
export async function inspect(socketDirectory: string, record: BackupRecord, signal: AbortSignal): Promise<Inspection> {
  const connection = await connect(socketDirectory, signal);
  try {
    const info = await loaded(connection, signal);
    const dialect = dialectOf(info);
    return {
      version: dialect.version,
      identity: identityOf(info),
      position: { ...positionOf(info, dialect, isAppendOnly(record)) },
      findings: [onItsOwn(info, dialect.version, record), ...compareWithRecord(info, record)],
    };
  } finally {
    await connection.close();
  }
}

function onItsOwn(info: Info, version: string, { serverVersion }: BackupRecord): Finding {
  const alone = info.role === 'master' && info.cluster_enabled !== '1';
  return alone
    ? {
        severity: 'ok',
        code: 'ok',
        subject: 'identity',
        message: `it is a server of its own, of version ${version} (the original: ${serverVersion ?? 'unknown'})`,
      }
    : {
        severity: 'error',
        code: 'restore-differs',
        subject: 'identity',
        message: `it is ${info.role === 'master' ? 'a node of a cluster' : `a replica of ${info.master_host ?? ''}`}`,
      };
}

/** It accepts connections while it loads. */
export async function loaded(connection: Connection, signal: AbortSignal): Promise<Info> {
  for (;;) {
    const info = await readInfo(connection, signal);
    if (info.loading === '0') return info;
    await delay(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Tries until it works: at first the socket is not there. */
export async function connect(socketDirectory: string, signal: AbortSignal): Promise<Connection> {
  const host = socketOf(socketDirectory);
  const target: Target = {
    connection: { host, port: PORT, usernameFile: '' },
    username: '',
    password: undefined,
    tls: undefined,
  };
  for (;;) {
    try {
      return await Connection.open(target, { host, port: PORT, name: host }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StillpointError) || error.code !== 'server-unreachable') throw error;
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

export function socketOf(socketDirectory: string): string {
  return join(socketDirectory, 'redis.sock');
}
