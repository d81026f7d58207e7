import { globSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { buffer } from 'node:stream/consumers';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../runner/clock';
import type { Target } from '../../runner/engine';
import { dump as tools } from '../../runner/engines/postgres/dump';
import { dump, type PipeOptions } from '../../runner/pipe/dump';
import { restore } from '../../runner/pipe/restore';
import { QuietLog } from '../support/quiet-log';
import { PASSWORD, PostgresServer } from './postgres-server';

/** The clients of the machine, where Debian's packages put them: the servers that npm brings come without. */
const CLIENTS = globSync('/usr/lib/postgresql/*/bin/pg_dumpall').map((tool) => dirname(tool))[0];

const ROWS = 50_000;

describe.skipIf(CLIENTS === undefined)('a real PostgreSQL by its own tools, where the machine has them', () => {
  let server: PostgresServer;
  const options: PipeOptions = {
    clock: systemClock,
    log: new QuietLog(),
    environment: { ...process.env, PATH: [CLIENTS, process.env.PATH].join(delimiter) },
    signal: AbortSignal.timeout(110_000),
    compression: 'zstd',
  };
  const target = (password = PASSWORD): Target => ({
    connection: { host: server.host, port: server.port } as Target['connection'],
    username: 'postgres',
    password,
    tls: undefined,
  });
  const stored = (content: AsyncIterable<Uint8Array>): Promise<Buffer> => buffer(content as AsyncIterable<Buffer>);

  async function query(database: string, sql: string): Promise<readonly unknown[]> {
    const client = new pg.Client({
      host: server.host,
      port: server.port,
      user: 'postgres',
      password: PASSWORD,
      database,
    });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async function comeBack(bytes: Buffer, passed: Awaited<ReturnType<typeof dump>>, database: string): Promise<void> {
    const command = tools.restore?.(target(), { database });
    if (command === undefined) throw new Error('no tool reads dumps');
    async function* content(): AsyncGenerator<Uint8Array, void> {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    }
    await restore(command, content(), passed, options);
  }

  beforeAll(async () => {
    server = await PostgresServer.create({ version: 14 });
    await query('postgres', 'create database orders');
    await query('postgres', 'create database copy');
    await query('postgres', 'create database broken');
    await query('orders', `create table t as select n, md5(n::text) as word from generate_series(1, ${ROWS}) n`);
  });
  afterAll(() => server?.remove());

  it('one database goes out by pg_dump and comes back by psql; with other bytes nothing of it does', async () => {
    const passed = await dump(tools.dump(target(), { database: 'orders' }), stored, options);
    await comeBack(passed.stored, passed, 'copy');
    const sum = "select count(*)::int as rows, md5(string_agg(word, ',' order by n)) as words from t";
    expect(await query('copy', sum)).toEqual(await query('orders', sum));
    expect(await query('copy', sum)).toMatchObject([{ rows: ROWS }]);

    // Every byte is right, and the record is of another dump: psql has had all rows by then, and may not commit.
    const other = { ...passed, plainSha256: passed.storedSha256 };
    await expect(comeBack(passed.stored, other, 'broken')).rejects.toMatchObject({ code: 'stream-broken' });
    expect(await query('broken', "select to_regclass('t') as found")).toEqual([{ found: null }]);
  });

  it('the whole cluster goes out by pg_dumpall, to its closing line', async () => {
    const passed = await dump(tools.dump(target(), {}), stored, { ...options, compression: 'none' });
    expect(String(passed.stored)).toContain('\\connect orders');
    expect(String(passed.stored)).toContain('-- PostgreSQL database cluster dump complete');
  });

  it('a login that is refused fails, with the words of the tool and without the password', async () => {
    const refused = dump(tools.dump(target('wrong-hunter2'), {}), stored, options);
    await expect(refused).rejects.toMatchObject({
      code: 'tool-failed',
      message: expect.stringMatching(/^pg_dumpall ended with exit code 1, and said ".*password authentication failed/),
    });
    await expect(refused).rejects.not.toThrow('hunter2');
  });
});
