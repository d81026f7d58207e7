/** Dumps of other engines than PostgreSQL on the cluster, each by a user who may read alone, and back. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from 'cdk8s-plus-28';
import { MySqlDump, MySqlDumpRestore, RedisDump, RedisDumpRestore } from 'stillpoint';
import { expect, onTestFinished, test } from 'vitest';
import { type Anything, apply, KINDS } from '../harness/cluster';
import { type DumpScene, NEVER, type RestoreEnd } from '../harness/dump-scene';
import { ROOT_PASSWORD, startMySql, type TestMySql } from '../harness/mysql';
import { startRedis, startRedisOnClaim, type TestRedis } from '../harness/redis';
import { stillpointAlone } from '../harness/stillpoint';

/** What docs/dumps.md tells users to grant, and no more. */
const MARIADB_GRANTS = 'SELECT, SHOW VIEW, TRIGGER, EVENT, RELOAD, BINLOG MONITOR, SLAVE MONITOR';
const REDIS_RULES = ['+info', '+config|get', '+client|id', '+client|info', '+ping', '+replconf', '+psync', '+sync'];

/** Their servers. */
export interface OtherServers {
  readonly accounts: TestMySql;
  readonly sessions: TestRedis;
}

/** Starts them. */
export async function startOthers(namespace: string): Promise<OtherServers> {
  const [accounts, sessions] = await Promise.all([
    startMySql({ namespace, image: 'mariadb:11.8' }),
    startRedis({ namespace, image: 'redis:8' }),
  ]);
  return { accounts, sessions };
}

/** The tests, in a scene and with servers that are there when they run. */
export function otherEngines(get: () => { readonly scene: DumpScene; readonly servers: Promise<OtherServers> }): void {
  test('of MariaDB is taken by a user who may read alone, and one of its databases comes back under another name', async () => {
    const { scene, servers } = get();
    const { accounts } = await servers;
    const client = await accounts.connect();
    for (const sql of [
      'CREATE TABLE entries (n INT PRIMARY KEY, word VARCHAR(40))',
      "INSERT INTO entries VALUES (1, 'it''s ö 🙂'), (2, NULL)",
      'CREATE PROCEDURE p() SELECT 1',
      "CREATE USER dumper IDENTIFIED BY 'dumps-and-nothing-else'",
      `GRANT ${MARIADB_GRANTS} ON *.* TO dumper`,
    ]) {
      await client.query(sql);
    }
    await scene.login('accounts-db-dump', 'dumper', 'dumps-and-nothing-else');
    await scene.login('accounts-db-root', 'root', ROOT_PASSWORD);
    const own = await scene.policy(
      'accounts-dump',
      (chart, shared) =>
        new MySqlDump(chart, 'accounts-dump', {
          ...shared,
          host: accounts.name,
          credentials: Secret.fromSecretName(chart, 'login', 'accounts-db-dump'),
          serverImage: accounts.image,
          schedule: NEVER,
        }),
    );
    const { record } = await scene.good(own);
    expect(record).toMatchObject({
      engine: 'mysql',
      flavour: 'mariadb',
      dump: { tool: expect.stringContaining('mariadb-dump from 11.8') },
      objects: [{ location: expect.stringMatching(/\/dump\.sql\.zst$/) }],
    });
    const { ended, pod } = await scene.restore(
      'accounts-copy',
      (chart, shared) =>
        new MySqlDumpRestore(chart, 'accounts-copy', {
          ...shared,
          database: record.database,
          backup: record.id,
          host: accounts.name,
          credentials: Secret.fromSecretName(chart, 'login', 'accounts-db-root'),
          serverImage: accounts.image,
          onlyDatabase: 'books',
          intoDatabase: 'copied',
        }),
    );
    expect(ended, JSON.stringify(pod.log.slice(-2))).toBe('Complete');
    const { rows } = await client.query('SELECT * FROM copied.entries ORDER BY n');
    expect(rows).toEqual((await client.query('SELECT * FROM books.entries ORDER BY n')).rows);
    expect(rows).toHaveLength(2);
    await expect(client.query('CALL copied.p()')).resolves.toBeDefined();
    await client.end();
  });

  test('of Redis is taken by a user who may read alone, and a new server starts on it', async () => {
    const { scene, servers } = get();
    const { namespace } = scene;
    const { sessions } = await servers;
    const client = await sessions.connect();
    for (let n = 0; n < 500; n++) await client.send('SET', `key:${n}`, `value ${n}`);
    await client.send('ACL', 'SETUSER', 'dumper', 'on', '>dumps-alone', 'resetchannels', ...REDIS_RULES);
    await client.end();
    await scene.login('sessions-db-dump', 'dumper', 'dumps-alone');
    const own = await scene.policy(
      'sessions-dump',
      (chart, shared) =>
        new RedisDump(chart, 'sessions-dump', {
          ...shared,
          host: sessions.name,
          credentials: Secret.fromSecretName(chart, 'login', 'sessions-db-dump'),
          serverImage: sessions.image,
          schedule: NEVER,
        }),
    );
    const { record } = await scene.good(own);
    const [object] = record.objects ?? [];
    expect(object?.location).toMatch(/\/dump\.rdb\.zst$/);
    // The bucket alone is enough: the file that it was, on a machine that knows no cluster.
    const folder = await mkdtemp(join(tmpdir(), 'alone-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, 'data'));
    const alone = await stillpointAlone(
      ...['restore', `${namespace}/sessions-dump/latest`, '--kubeconfig', '/nowhere'],
      ...['--from', await scene.location(folder), '--directory', join(folder, 'data')],
    );
    expect(alone, alone.stderr).toMatchObject({ exitCode: 0 });
    const file = await readFile(join(folder, 'data', 'dump.rdb'));
    expect(createHash('sha256').update(file).digest('hex')).toBe(object?.plainSha256);
    const claimName = 'data-sessions-copy';
    await apply([
      {
        ...KINDS.claim,
        metadata: { name: claimName, namespace },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      } as Anything,
    ]);
    const into = (id: string): Promise<RestoreEnd> =>
      scene.restore(
        id,
        (chart, shared) =>
          new RedisDumpRestore(chart, id, { ...shared, database: record.database, backup: record.id, claimName }),
      );
    const { ended, pod } = await into('sessions-copy');
    expect(ended, JSON.stringify(pod.log.slice(-2))).toBe('Complete');
    const again = await into('sessions-again');
    expect(again.pod.log).toContainEqual(expect.objectContaining({ code: 'restore-exists' }));
    const copy = await startRedisOnClaim(
      { namespace, image: 'redis:8', name: 'sessions-copy', appendOnly: false },
      claimName,
    );
    expect([await copy.send('DBSIZE'), await copy.send('GET', 'key:499')]).toEqual([500, 'value 499']);
    await copy.end();
  });
}
