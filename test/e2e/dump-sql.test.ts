/**
 * Dumps of MySQL and MariaDB on the cluster: out by a Job, as a user who may read alone, and back into a new server, by a Job and by the
 * clients of a machine that knows no cluster.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Secret } from 'cdk8s-plus-28';
import { MySqlDump, MySqlDumpRestore, type MySqlDumpRestoreProps } from 'stillpoint';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import type { SqlClient } from '../ledger/sql';
import { DumpScene, type RestoreEnd } from './harness/dump-scene';
import { putImageTools } from './harness/image-tools';
import { type MySqlImage, ROOT_PASSWORD, startMySql, type TestMySql } from './harness/mysql';
import { NEVER } from './harness/never';
import { type Answer, stillpointAlone } from './harness/stillpoint';

/** What docs/dumps.md tells users to grant, and no more. */
const GRANTS: Readonly<Record<MySqlImage, string>> = {
  'mariadb:11.8': 'SELECT, SHOW VIEW, TRIGGER, EVENT, RELOAD, BINLOG MONITOR, SLAVE MONITOR',
  'mysql:9': 'SELECT, SHOW VIEW, TRIGGER, EVENT',
};

const ROWS = 5000;

const rowOf = (n: number): string => {
  const sum = createHash('sha256').update(`${n}`).digest('hex');
  return `(${n}, '${sum}', 0x${sum}, NULL)`;
};

const SQL = [
  'CREATE TABLE entries (n INT PRIMARY KEY, word VARCHAR(64), b BLOB, at TIMESTAMP(6) NULL)',
  "INSERT INTO entries VALUES (1, 'it''s ö 🙂', 0x00ff0a0d5c27, '2026-01-01 00:00:00.123456'), (2, NULL, NULL, NULL)",
  `INSERT INTO entries VALUES ${Array.from({ length: ROWS - 2 }, (_, n) => rowOf(n + 3)).join()}`,
  'CREATE VIEW half AS SELECT * FROM entries WHERE n % 2 = 0',
  'CREATE PROCEDURE p() SELECT 1',
];

let scene: DumpScene;
beforeAll(async () => {
  scene = await DumpScene.start('dump-sql');
});
afterAll(() => scene?.[Symbol.asyncDispose]());

describe.each<[flavour: string, image: MySqlImage, tool: RegExp, programs: readonly string[]]>([
  ['mysql', 'mysql:9', /^mysqldump +Ver 9\./, ['mysqldump', 'mysql']],
  ['mariadb', 'mariadb:11.8', /^mariadb-dump from 11\.8/, ['mariadb-dump', 'mariadb']],
])('a dump of %s', (flavour, image, tool, programs) => {
  const id = `${flavour}-dump`;
  let folder: string;
  let from: TestMySql;
  let to: TestMySql;
  let [source, target]: SqlClient[] = [];
  let record: BackupRecord;

  /** All that a database holds, in an order of its own. */
  const whatIsIn = async (client: SqlClient | undefined, database: string): Promise<readonly unknown[]> => {
    const rows = async (sql: string): Promise<unknown> => (await client?.query(sql))?.rows;
    return [
      await rows(`SELECT n, word, HEX(b) AS b, CAST(at AS CHAR) AS at FROM \`${database}\`.entries ORDER BY n`),
      await rows(`SELECT COUNT(*) AS n FROM \`${database}\`.half`),
      await rows(`SELECT routine_name AS name FROM information_schema.routines WHERE routine_schema = '${database}'`),
    ];
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sql-alone-'));
    const { namespace } = scene;
    [from, to] = (await Promise.all(
      (['db', 'new'] as const).map((name) => startMySql({ namespace, image, name: `${flavour}-${name}` })),
    )) as [TestMySql, TestMySql];
    [source, target] = await Promise.all([from.connect(), to.connect()]);
    for (const sql of [
      ...SQL,
      "CREATE USER dumper IDENTIFIED BY 'dumps-and-nothing-else'",
      `GRANT ${GRANTS[image]} ON *.* TO dumper`,
    ]) {
      await source.query(sql);
    }
    await scene.login(`${flavour}-dumper`, 'dumper', 'dumps-and-nothing-else');
    await scene.login(`${flavour}-root`, 'root', ROOT_PASSWORD);
  });
  afterEach(() => void vi.unstubAllEnvs());
  afterAll(async () => {
    await source?.end();
    await target?.end();
    await rm(folder, { recursive: true });
  });

  const restore = (name: string, props: Partial<MySqlDumpRestoreProps> = {}): Promise<RestoreEnd> =>
    scene.restore(
      name,
      (chart, shared) =>
        new MySqlDumpRestore(chart, name, {
          ...shared,
          database: record.database,
          backup: record.id,
          host: to.name,
          credentials: Secret.fromSecretName(chart, 'login', `${flavour}-root`),
          serverImage: image,
          ...props,
        }),
    );

  /** `stillpoint restore --from`, on a machine that has the clients of the image, and no cluster. */
  async function alone(...flags: readonly string[]): Promise<Answer> {
    await mkdir(join(folder, 'bin'), { recursive: true });
    await putImageTools(join(folder, 'bin'), to, programs);
    await writeFile(join(folder, 'password'), ROOT_PASSWORD);
    vi.stubEnv('PATH', [join(folder, 'bin'), process.env.PATH].join(delimiter));
    return await stillpointAlone(
      ...['restore', `${scene.namespace}/${id}/latest`, '--kubeconfig', '/nowhere'],
      ...['--from', await scene.location(folder), '--host', await to.address(), '--tls', 'require'],
      ...['--user', 'root', '--password-file', join(folder, 'password'), ...flags],
    );
  }

  test('is taken by a Job, as a user who may read alone', async () => {
    const own = await scene.policy(
      id,
      (chart, shared) =>
        new MySqlDump(chart, id, {
          ...shared,
          host: from.name,
          credentials: Secret.fromSecretName(chart, 'login', `${flavour}-dumper`),
          serverImage: image,
          schedule: NEVER,
        }),
    );
    ({ record } = await scene.good(own));
    expect(record).toMatchObject({
      ...{ engine: 'mysql', flavour, warnings: [] },
      dump: { tool: expect.stringMatching(tool), image },
      objects: [{ location: expect.stringMatching(/\/dump\.sql\.zst$/) }],
    });
  });

  test('comes back into a new server by a Job, with every row and its users; one of its databases beside it', async () => {
    // The image has made an empty one: with it the server is not empty.
    const refused = await restore(`${flavour}-refused`);
    expect(refused.pod.log).toContainEqual(expect.objectContaining({ code: 'restore-exists' }));
    await target?.query('DROP DATABASE books');
    const all = await restore(`${flavour}-all`);
    expect(all.ended, JSON.stringify(all.pod.log.slice(-2))).toBe('Complete');
    const expected = await whatIsIn(source, 'books');
    expect(expected[0]).toHaveLength(ROWS);
    expect(await whatIsIn(target, 'books')).toEqual(expected);
    expect((await target?.query("SELECT user FROM mysql.user WHERE user = 'dumper'"))?.rows).toHaveLength(1);
    const one = await restore(`${flavour}-one`, { onlyDatabase: 'books', intoDatabase: 'copied' });
    expect(one.ended, JSON.stringify(one.pod.log.slice(-2))).toBe('Complete');
    expect(await whatIsIn(target, 'copied')).toEqual(expected);
  });

  test("comes back by the bucket alone and a machine's own client, without the cluster: one database, and all", async () => {
    const expected = await whatIsIn(source, 'books');
    const one = await alone('--database', 'books', '--into-database', 'alone', '--check-first');
    expect(one, one.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('restored into') });
    expect(await whatIsIn(target, 'alone')).toEqual(expected);
    const occupied = await alone();
    expect(occupied).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('is not empty') });
    for (const database of ['books', 'copied', 'alone']) await target?.query(`DROP DATABASE ${database}`);
    const all = await alone();
    expect(all, all.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('restored into') });
    expect(await whatIsIn(target, 'books')).toEqual(expected);
    expect(`${one.stderr}${occupied.stderr}${all.stderr}`).not.toContain(ROOT_PASSWORD);
  });
});
