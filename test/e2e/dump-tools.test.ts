/**
 * The engines' own tools on their own images: each dumps a real server, and what it wrote is read back, encrypted on the
 * way. What the Job around them does has tests of its own.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../runner/clock';
import type { Target } from '../../runner/engine';
import { dump as mysqlTools } from '../../runner/engines/mysql/dump';
import { dump as redisTools } from '../../runner/engines/redis/dump';
import { type DumpOptions, dump, type Passed } from '../../runner/pipe/dump';
import { restore } from '../../runner/pipe/restore';
import { restoreFile } from '../../runner/pipe/restore-file';
import type { ToolCommand } from '../../runner/tools/tool';
import type { SqlClient } from '../ledger/sql';
import { QuietLog } from '../support/quiet-log';
import { type MySqlImage, ROOT_PASSWORD, startMySql, type TestMySql } from './harness/mysql';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { DEFAULT_PASSWORD, type RedisImage, startRedis } from './harness/redis';
import { inPod, type Place, runInPod } from './harness/tool-in-pod';

type Stored = Passed & { readonly stored: Buffer };

let namespace: TestNamespace;
let identity: string;
let recipients: readonly string[];
beforeAll(async () => {
  namespace = await makeNamespace('dump-tools');
  identity = await generateX25519Identity();
  recipients = [await identityToRecipient(identity)];
});
afterAll(() => namespace?.[Symbol.asyncDispose]());

const log = new QuietLog();
const options = (): DumpOptions => ({
  clock: systemClock,
  log,
  environment: process.env,
  signal: AbortSignal.timeout(120_000),
  compression: 'zstd',
  recipients,
});

async function dumped(command: ToolCommand, place: Place): Promise<Stored> {
  return await dump(await inPod(command, place), (content) => buffer(content as AsyncIterable<Buffer>), options());
}

async function* content({ stored }: Stored): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < stored.length; at += 65_536) yield stored.subarray(at, at + 65_536);
}

const target = async (
  server: { address(): Promise<string> },
  port: number,
  more: Partial<Target>,
): Promise<Target> => ({
  connection: { host: await server.address(), port } as Target['connection'],
  username: '',
  password: undefined,
  tls: undefined,
  ...more,
});

const SQL = [
  'CREATE TABLE rows_of (n INT PRIMARY KEY, word VARCHAR(64), b BLOB)',
  "INSERT INTO rows_of VALUES (1, 'it''s ö 🙂', 0x00ff0a0d5c27), (2, '-- Dump completed on 2020', NULL)",
  'CREATE TABLE heard (n INT)',
  'CREATE TRIGGER heard_of AFTER INSERT ON rows_of FOR EACH ROW INSERT INTO heard VALUES (NEW.n)',
  'CREATE PROCEDURE p() SELECT 1',
  'CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO DELETE FROM heard',
  'CREATE DATABASE `we``ird`',
  "CREATE USER app IDENTIFIED BY 'app-secret'",
];

/** All that a dump of the database has to bring back. */
async function whatIsIn(client: SqlClient, database: string): Promise<readonly unknown[]> {
  const rows = async (sql: string): Promise<unknown> => (await client.query(sql)).rows;
  return [
    await rows(`SELECT n, word, HEX(b) AS b FROM \`${database}\`.rows_of ORDER BY n`),
    await rows(`SELECT routine_name AS name FROM information_schema.routines WHERE routine_schema = '${database}'`),
    await rows(`SELECT trigger_name AS name FROM information_schema.triggers WHERE trigger_schema = '${database}'`),
    await rows(`SELECT event_name AS name FROM information_schema.events WHERE event_schema = '${database}'`),
  ];
}

describe.each<[flavour: string, image: MySqlImage, position: RegExp]>([
  ['mysql', 'mysql:9', /-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='binlog\.\d+', SOURCE_LOG_POS=\d+/],
  ['mariadb', 'mariadb:11.8', /-- CHANGE MASTER TO MASTER_LOG_FILE='.*', MASTER_LOG_POS=\d+/],
])('%s', (flavour, image, position) => {
  let [from, to]: (TestMySql | undefined)[] = [];
  let [source, copy]: (SqlClient | undefined)[] = [];
  const get = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('the servers have not started');
    return value;
  };
  const at = (server: TestMySql | undefined, more: Partial<Target> = {}): Promise<Target> =>
    target(get(server), 3306, { username: 'root', password: ROOT_PASSWORD, ...more });
  const holds = async (server: TestMySql | undefined, database?: string): Promise<readonly string[]> =>
    (await mysqlTools.destination?.(await at(server), { database }, log, AbortSignal.timeout(30_000)))?.holds ?? [];
  const read = async (stored: Stored, what: { readonly database?: string; readonly outOf?: string }): Promise<void> => {
    const command = mysqlTools.restore?.(await at(to), { flavour, ...what });
    await restore(await inPod(get(command), get(to)), content(stored), stored, {
      ...options(),
      identities: [identity],
    });
  };

  beforeAll(async () => {
    [from, to] = await Promise.all(
      ['from', 'to'].map((name) => startMySql({ namespace: namespace.name, image, name: `${flavour}-${name}` })),
    );
    [source, copy] = await Promise.all([get(from).connect(), get(to).connect()]);
    for (const sql of SQL) await source.query(sql);
  });
  afterAll(async () => {
    await source?.end();
    await copy?.end();
  });

  test('says its version, and is fit for its server', async () => {
    const { program, args } = mysqlTools.versionOf(flavour);
    const { rows } = await get(source).query('SELECT VERSION() AS version');
    const toolSays = await runInPod(get(from), [program, ...args]);
    expect(mysqlTools.unfit(toolSays, { version: String(rows[0]?.version) })).toBeUndefined();
  });

  test('one database goes out over TLS, and in under another name', async () => {
    const command = mysqlTools.dump(await at(from, { tls: { mode: 'require' } }), { flavour, database: 'books' });
    const stored = await dumped(command, get(from));
    expect(await holds(to, 'copied')).toEqual([]);
    await mysqlTools.createDatabase?.(await at(to), 'copied', log, AbortSignal.timeout(30_000));
    await read(stored, { database: 'copied' });
    expect(await whatIsIn(get(copy), 'copied')).toEqual(await whatIsIn(get(source), 'books'));
    expect(await holds(to, 'copied')).toEqual(['e', 'heard', 'p', 'rows_of']);
  });

  test('everything goes out and in, with the logins; and one database out of that', async () => {
    // The image has made an empty one.
    expect(await holds(to)).toEqual(['database books', 'database copied']);
    const stored = await dumped(mysqlTools.dump(await at(from), { flavour }), get(from));
    await read(stored, {});
    expect(await holds(to)).toEqual(['database books', 'database copied', 'database we`ird']);
    expect(await whatIsIn(get(copy), 'books')).toEqual(await whatIsIn(get(source), 'books'));
    expect((await get(copy).query("SELECT user FROM mysql.user WHERE user = 'app'")).rows).toHaveLength(1);

    await get(copy).query('DROP DATABASE `we``ird`');
    await get(copy).query('DROP TABLE books.rows_of');
    await get(copy).query('CREATE DATABASE one');
    await read(stored, { outOf: 'books', database: 'one' });
    expect(await whatIsIn(get(copy), 'one')).toEqual(await whatIsIn(get(source), 'books'));
    // Nothing else of the dump was touched.
    expect(await holds(to)).toEqual(['database books', 'database copied', 'database one']);
    expect(await holds(to, 'books')).not.toContain('rows_of');
  });

  test('says where the log stood when asked', async () => {
    const command = mysqlTools.dump(await at(from), { flavour, database: 'books', position: true });
    const plain = { ...options(), compression: 'none', recipients: undefined } as const;
    const { stored } = await dump(
      await inPod(command, get(from)),
      (bytes) => buffer(bytes as AsyncIterable<Buffer>),
      plain,
    );
    expect(stored.toString()).toMatch(position);
  });

  test('who may not see everything is known beforehand; by a role it is seen too', async () => {
    const unseen = async (username: string, database?: string): Promise<readonly string[]> => {
      const who = await at(from, { username, password: 'x' });
      const found = await mysqlTools.unseen?.(who, { flavour, database }, AbortSignal.timeout(30_000));
      return (found ?? []).map(({ severity, message }) => `${severity}: ${message}`);
    };
    const rights = 'SELECT, SHOW VIEW, TRIGGER, EVENT';
    for (const sql of [
      "CREATE USER partly IDENTIFIED BY 'x'",
      `GRANT ${rights} ON books.* TO partly`,
      "CREATE USER wholly IDENTIFIED BY 'x'",
      'CREATE ROLE seer',
      `GRANT ${rights} ON *.* TO seer`,
      'GRANT seer TO wholly',
      `SET DEFAULT ROLE seer ${flavour === 'mysql' ? 'TO' : 'FOR'} wholly`,
    ]) {
      await get(source).query(sql);
    }
    expect(await unseen('partly')).toEqual([
      expect.stringMatching(
        /^error: user partly@% may not see all of the server, .* it lacks SELECT, SHOW VIEW, TRIGGER, EVENT$/,
      ),
    ]);
    expect(await unseen('partly', 'books')).toEqual([expect.stringMatching(/^warning: .* sees no routines/)]);
    expect([await unseen('wholly'), await unseen('wholly', 'books')]).toEqual([[], []]);
    // Why it matters: the tool is content with the part.
    const partly = await at(from, { username: 'partly', password: 'x' });
    const stored = await dumped(mysqlTools.dump(partly, { flavour, database: 'books' }), get(from));
    await mysqlTools.createDatabase?.(await at(to), 'part', log, AbortSignal.timeout(30_000));
    await read(stored, { database: 'part' });
    expect(await whatIsIn(get(copy), 'part')).toEqual([expect.anything(), [], expect.anything(), expect.anything()]);
  });

  test('what a restore stopped at is told by its number, and never quoted', async () => {
    const text = "CREATE TABLE secrets (word TEXT);\nINSERT INTO secrets VALUES ('hunter2' 'hunter3'),;\n";
    const command: ToolCommand = { program: 'cat', args: () => [], env: {}, files: {}, secrets: [] };
    const stored = await dump(
      { ...command, refine: () => [Buffer.from(text)] as unknown as AsyncIterable<Uint8Array> },
      (bytes) => buffer(bytes as AsyncIterable<Buffer>),
      options(),
    );
    const failing = read(stored, { database: 'books' });
    await expect(failing).rejects.toMatchObject({
      code: 'tool-failed',
      message: expect.stringMatching(/ERROR 1064 \(42000\) at line 2"$/),
    });
  });

  test('a wrong password fails, with the words of the tool and without the password', async () => {
    const command = mysqlTools.dump(await at(from, { password: 'wrong-hunter2' }), { flavour });
    const failing = dumped(command, get(from));
    await expect(failing).rejects.toMatchObject({
      code: 'tool-failed',
      message: expect.stringMatching(/exit code 2.*Access denied for user/),
    });
    await expect(failing).rejects.not.toThrow('hunter2');
  });
});

describe.each<[flavour: string, image: RedisImage]>([
  ['redis', 'redis:8'],
  ['valkey', 'valkey:8'],
])('%s', (flavour, image) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rdb-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('goes out to a pipe, whole and without the mark of the transfer, and a server starts on it', async () => {
    const server = await startRedis({ namespace: namespace.name, image, name: `${flavour}-from` });
    const client = await server.connect();
    for (let n = 0; n < 500; n++) await client.send('SET', `key:${n}`, `value ${n}`);
    await client.end();
    const to = await target(server, 6379, { password: DEFAULT_PASSWORD });
    const { program, args } = redisTools.versionOf(flavour);
    expect(redisTools.unfit(await runInPod(server, [program, ...args]), { version: '8' })).toBeUndefined();

    const stored = await dumped(redisTools.dump(to, { flavour }), server);
    const file = join(folder, redisTools.file ?? '');
    await restoreFile(file, content(stored), stored, { ...options(), identities: [identity] });
    const bytes = readFileSync(file);
    expect(bytes.length).toBe(stored.plainBytes);

    await runInPod(server, ['sh', '-c', 'mkdir -p /tmp/copy; cat >/tmp/copy/dump.rdb'], bytes);
    expect(await runInPod(server, [`${flavour}-check-rdb`, '/tmp/copy/dump.rdb'])).toContain('RDB looks OK');
    const copy = [
      '--port',
      '6390',
      '--dir',
      '/tmp/copy',
      '--save',
      '',
      '--daemonize',
      'yes',
      '--pidfile',
      '/tmp/copy/pid',
    ];
    await runInPod(server, [`${flavour}-server`, ...copy]);
    const ask = (...words: readonly string[]): Promise<string> => runInPod(server, [program, '-p', '6390', ...words]);
    await expect.poll(() => ask('DBSIZE').catch(String), { timeout: 20_000 }).toContain('500');
    expect(await ask('GET', 'key:499')).toContain('value 499');

    const refused = dumped(redisTools.dump({ ...to, password: 'wrong-hunter2' }, { flavour }), server);
    await expect(refused).rejects.toMatchObject({ code: 'tool-failed', message: expect.stringMatching(/WRONGPASS/) });
    await expect(refused).rejects.not.toThrow('hunter2');
  });
});
