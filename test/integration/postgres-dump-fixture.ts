/** What tests of dumps of a real PostgreSQL run with: its own tools, where the machine has them, and ways to a server. */
import { globSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { buffer } from 'node:stream/consumers';
import pg from 'pg';
import { systemClock } from '../../runner/clock';
import type { Target } from '../../runner/engine';
import type { PipeOptions } from '../../runner/pipe/dump';
import { QuietLog } from '../support/quiet-log';
import { PASSWORD, type PostgresServer } from './postgres-server';

/** The clients of the machine, where Debian's packages put them: the servers that npm brings come without. */
export const CLIENTS = globSync('/usr/lib/postgresql/*/bin/pg_dumpall').map((tool) => dirname(tool))[0];

export const options: PipeOptions = {
  clock: systemClock,
  log: new QuietLog(),
  environment: { ...process.env, PATH: [CLIENTS, process.env.PATH].join(delimiter) },
  signal: AbortSignal.timeout(110_000),
  compression: 'zstd',
};

export function targetOf({ host, port }: PostgresServer, password = PASSWORD): Target {
  return { connection: { host, port } as Target['connection'], username: 'postgres', password, tls: undefined };
}

export const stored = (content: AsyncIterable<Uint8Array>): Promise<Buffer> => buffer(content as AsyncIterable<Buffer>);

export async function queryOn(
  { host, port }: PostgresServer,
  database: string,
  sql: string,
  password = PASSWORD,
): Promise<readonly unknown[]> {
  const client = new pg.Client({ host, port, user: 'postgres', password, database });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

export async function* contentOf(bytes: Buffer): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
