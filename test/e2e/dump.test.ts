/**
 * Dumps on the cluster, as users have them: a policy in the engine's own image, a store that speaks S3, and back into a
 * server that never saw the first. The registry is the file's own: its pruner is told of the store.
 */
import { globSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { Secret } from 'cdk8s-plus-28';
import pg from 'pg';
import {
  DumpLayout,
  PostgresDump,
  type PostgresDumpProps,
  PostgresDumpRestore,
  type PostgresDumpRestoreProps,
} from 'stillpoint';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { parse } from 'yaml';
import type { BackupRecord } from '../../src/contract';
import { type OtherServers, otherEngines, startOthers } from './dump/other-engines';
import { eventsOn, KINDS, remove } from './harness/cluster';
import { DumpScene, NEVER, type Policy, PREFIX, type RestoreEnd } from './harness/dump-scene';
import { jobEnd, nthPod, podsOf, startBackup, type TestJob } from './harness/job';
import { addressOf } from './harness/pods';
import { SUPERUSER_PASSWORD, startPostgres, type TestPostgres } from './harness/postgres';
import { runnerProcess } from './harness/runner-process';
import type { TestS3 } from './harness/s3';
import { stillpointAlone, stillpointOf } from './harness/stillpoint';
import { eventually } from './harness/wait';

const ROWS = 200_000;

/** The clients of this machine, where Debian's packages put them. */
const CLIENTS = globSync('/usr/lib/postgresql/*/bin/psql').map((tool) => dirname(tool))[0];

let scene: DumpScene;
let namespace: string;
let registry: string;
let server: TestPostgres;
let others: Promise<OtherServers>;
let s3: TestS3;

beforeAll(async () => {
  scene = await DumpScene.start('dump');
  ({ namespace, registry, s3 } = scene);
  others = startOthers(namespace);
  // Whoever needs them hears of it.
  others.catch(() => undefined);
  server = await startPostgres({ namespace, version: '17' });
  await scene.login('orders-db-admin', 'postgres', SUPERUSER_PASSWORD);
  const client = await server.connect();
  await client.query("CREATE ROLE app LOGIN PASSWORD 'app-secret'");
  await client.query('CREATE DATABASE orders OWNER app');
  await client.end();
  await during(server, 'orders', async (orders) => {
    await orders.query(`CREATE TABLE lines AS SELECT n, md5(n::text) AS word FROM generate_series(1, ${ROWS}) n`);
    await orders.query('ALTER TABLE lines OWNER TO app');
  });
});
afterAll(() => scene?.[Symbol.asyncDispose]());

async function during<T>(of: TestPostgres, database: string, work: (on: pg.Client) => Promise<T>): Promise<T> {
  const on = new pg.Client({ host: await of.address(), user: 'postgres', password: SUPERUSER_PASSWORD, database });
  on.on('error', () => undefined);
  await on.connect();
  try {
    return await work(on);
  } finally {
    await on.end();
  }
}

/** A policy of dumps of the server. */
function policy(
  id: string,
  props: Partial<PostgresDumpProps> = {},
  { store, login = 'orders-db-admin' }: { readonly store?: string; readonly login?: string } = {},
): Promise<Policy> {
  return scene.policy(
    id,
    (chart, shared) =>
      new PostgresDump(chart, id, {
        ...shared,
        host: server.name,
        credentials: Secret.fromSecretName(chart, 'login', login),
        serverImage: server.image,
        schedule: NEVER,
        ...props,
      }),
    store,
  );
}

/** Restores a dump into the second server. */
function restore(
  id: string,
  record: Pick<BackupRecord, 'database' | 'id'>,
  { registry: of, identity, ...props }: RestoreOptions = {},
): Promise<RestoreEnd> {
  return scene.restore(
    id,
    (chart, shared) =>
      new PostgresDumpRestore(chart, id, {
        ...shared,
        database: record.database,
        backup: record.id,
        host: 'copy-db',
        credentials: Secret.fromSecretName(chart, 'login', 'orders-db-admin'),
        serverImage: server.image,
        ...(identity === undefined ? {} : { identity: Secret.fromSecretName(chart, 'identity', identity) }),
        ...props,
      }),
    of,
  );
}

interface RestoreOptions
  extends Partial<Pick<PostgresDumpRestoreProps, 'checkFirst' | 'onlyDatabase' | 'intoDatabase'>> {
  readonly registry?: string;
  readonly identity?: string;
}

describe('a dump by its policy', () => {
  let policyOfAll: Policy;
  let record: BackupRecord;
  let job: TestJob;
  beforeAll(async () => {
    policyOfAll = await policy('orders-dump', { retention: { keepLast: 10 } });
    ({ record, job } = await scene.good(policyOfAll));
  });

  test('is in the bucket with its record beside it: all that the tool wrote, as the record says', async () => {
    const folder = `${PREFIX}/stillpoint/${namespace}/orders-dump/${record.id}`;
    expect(await s3.keys()).toEqual(['dump.sql.zst', 'owner.yaml', 'record.yaml'].map((file) => `${folder}/${file}`));
    const stored = await s3.bytes(`${folder}/dump.sql.zst`);
    const [object] = record.objects ?? [];
    expect(object).toMatchObject({ location: `s3://${s3.bucket}/${folder}/dump.sql.zst`, bytes: stored.length });
    const sql = zstdDecompressSync(stored);
    expect(sql.length).toBe(object?.plainBytes);
    expect(sql.toString()).toContain('\\connect orders');
    expect(sql.toString().trimEnd()).toMatch(/-- PostgreSQL database cluster dump complete\n/);
    expect(parse((await s3.bytes(`${folder}/record.yaml`)).toString())).toEqual(record);
    expect(record).toMatchObject({
      mode: 'dump',
      engine: 'postgres',
      dump: { tool: expect.stringMatching(/^pg_dumpall \(PostgreSQL\) 17/), image: 'postgres:17' },
      runnerImage: inject('image'),
      warnings: [],
    });
    expect(record.serverVersion).toMatch(/^17/);
    expect(JSON.stringify(record)).not.toMatch(new RegExp(`${SUPERUSER_PASSWORD}|the-right-secret`));
  });

  test('says on its Job that it was starting, and that it succeeded', async () => {
    const events = (await eventsOn(KINDS.job, job.name, job.namespace)).filter(
      (event) => event.includes('napshot') || event.includes('Starting'),
    );
    expect(events).toEqual([
      `Normal Starting: Backup ${record.id} running`,
      `Normal SuccessfulSnapshot: Successfully completed snapshot ${record.id}`,
    ]);
  });

  test('is listed and described with its place and size', async () => {
    const described = await scene.describe(record);
    const [object] = record.objects ?? [];
    expect(described.stdout).toContain(object?.location);
    expect(described.stdout).toMatch(/Status: +succeeded/);
    const wide = await stillpointOf(registry, 'list', 'orders-dump', '-n', namespace, '-o', 'wide');
    expect(wide.stdout).toContain(object?.location);
    const database = await stillpointOf(registry, 'describe', `${namespace}/orders-dump`);
    expect(database.stdout).toContain(record.id);
  });

  test('is checked by doctor beforehand, and found sound', async () => {
    const answer = await stillpointOf(registry, 'doctor', 'orders-dump', '-n', namespace);
    expect(answer.stdout).toMatch(/pg_dumpall \(PostgreSQL\) 17/);
    expect(answer.exitCode, answer.stdout + answer.stderr).toBe(0);
  });

  test('is refused to who wants volumes of it', async () => {
    const answer = await stillpointOf(registry, 'restore', `${namespace}/orders-dump/${record.id}`, '--claim', 'copy');
    expect([answer.exitCode, answer.stderr]).toEqual([3, expect.stringContaining('backup-not-restorable')]);
  });

  test('comes back into an empty server with every row, and into no server twice', async () => {
    // Applied before its server: it is waited for.
    const restoring = restore('orders-copy', record, { checkFirst: true });
    const copy = await startPostgres({ namespace: namespace, version: '17', name: 'copy-db' });
    const { ended, pod, job: restored } = await restoring;
    expect(ended, JSON.stringify(pod.log.slice(-2))).toBe('Complete');
    const sum = "SELECT count(*)::int AS rows, md5(string_agg(word, ',' ORDER BY n)) AS words FROM lines";
    const rows = async (of: TestPostgres): Promise<unknown> =>
      await during(of, 'orders', async (on) => (await on.query(sum)).rows);
    expect(await rows(copy)).toEqual(await rows(server));
    const owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'lines'";
    expect(await during(copy, 'orders', async (on) => (await on.query(owner)).rows)).toEqual([{ tableowner: 'app' }]);
    expect(await eventsOn(KINDS.job, restored.name, restored.namespace)).toContainEqual(
      expect.stringContaining('Normal SuccessfulRestore'),
    );

    // The registry of another cluster knows nothing of it: the record beside the dump does.
    const again = await restore('orders-again', record, { registry: inject('registry') });
    expect(again.pod.exitCode).toBe(3);
    expect(again.pod.log).toContainEqual(expect.objectContaining({ code: 'restore-exists' }));
    expect(JSON.stringify(again.pod.log)).toContain('database orders');
    expect(JSON.stringify(again.pod.log)).toContain('the record beside the dump is taken');
  });

  test('of one database, encrypted, is opened by age, and goes into an empty database of another name by its identity', async () => {
    const [identity, offline] = [await generateX25519Identity(), await generateX25519Identity()];
    const recipients = await Promise.all([identity, offline].map(identityToRecipient));
    const { record: one } = await scene.good(await policy('one-dump', { onlyDatabase: 'orders', recipients }));
    const [object] = one.objects ?? [];
    expect(object).toMatchObject({
      location: expect.stringMatching(/\/dump\.sql\.zst\.age$/),
      encryption: { format: 'age', recipients },
    });
    // Another implementation undoes it, with the key that no Secret of the cluster holds.
    const decrypter = new Decrypter();
    decrypter.addIdentity(offline);
    const stored = await s3.bytes(`${PREFIX}/${object?.key}`);
    expect(stored.length).toBe(object?.bytes);
    const sql = zstdDecompressSync(await decrypter.decrypt(stored)).toString();
    expect(sql).toContain('CREATE TABLE public.lines');
    expect(sql.trimEnd()).toMatch(/-- PostgreSQL database dump complete\n/);
    expect((await scene.describe(one)).stdout).toContain(`encrypted by age for ${recipients.join(', ')}`);

    await scene.secret('orders-identity', { 'key.txt': `# created: 2026-11-26T02:00:00Z\n${identity}\n` });
    const copy = { ...server, name: 'copy-db', address: () => addressOf('copy-db-0', namespace) };
    const into = { intoDatabase: 'second' };
    const without = await restore('orders-closed', one, into);
    expect(without.pod.exitCode).toBe(3);
    expect(without.pod.log).toContainEqual(expect.objectContaining({ code: 'key-unusable' }));
    const { ended, pod } = await restore('orders-second', one, { ...into, identity: 'orders-identity' });
    expect(ended, JSON.stringify(pod.log.slice(-2))).toBe('Complete');
    expect(JSON.stringify(pod.log)).not.toContain(identity);
    const count = await during(copy, 'second', (on) => on.query('SELECT count(*)::int AS rows FROM lines'));
    expect(count.rows).toEqual([{ rows: ROWS }]);

    // Out of the dump of all, beside what the server holds by now.
    const out = await restore('orders-third', record, {
      onlyDatabase: 'orders',
      intoDatabase: 'third',
      checkFirst: true,
    });
    expect(out.ended, JSON.stringify(out.pod.log.slice(-2))).toBe('Complete');
    const third = await during(copy, 'third', (on) => on.query('SELECT count(*)::int AS rows FROM lines'));
    expect(third.rows).toEqual([{ rows: ROWS }]);
  });

  test('is restored from a terminal by a Job that is made of its policy, which says how far it is', async () => {
    const copy = { ...server, name: 'copy-db', address: () => addressOf('copy-db-0', namespace) };
    await scene.login('copy-admin', 'postgres', SUPERUSER_PASSWORD);
    const name = `${namespace}/orders-dump/${record.id}`;
    const by = (...flags: readonly string[]) =>
      stillpointOf(registry, 'restore', name, '--host', 'copy-db', '--credentials', 'copy-admin', ...flags);
    const answer = await by('--database', 'orders', '--into-database', 'fourth', '--check-first');
    expect([answer.exitCode, answer.stdout], answer.stderr).toEqual([0, `backup ${name} restored into copy-db\n`]);
    expect(answer.stderr).toContain('every byte was what the record says');
    const fourth = await during(copy, 'fourth', (on) => on.query('SELECT count(*)::int AS rows FROM lines'));
    expect(fourth.rows).toEqual([{ rows: ROWS }]);
    // Of all it would go into a server that holds something.
    const occupied = await by();
    expect([occupied.exitCode, occupied.stderr]).toEqual([3, expect.stringContaining('copy-db:5432 is not empty')]);
    const nobody = await by('--database', 'orders', '--into-database', 'fifth', '--credentials', 'not-there');
    expect([nobody.exitCode, nobody.stderr]).toEqual([3, expect.stringContaining('credentials-unreadable')]);
  });

  test('is listed, described and checked by the bucket alone, without the cluster', async () => {
    const keys = await mkdtemp(join(tmpdir(), 'keys-'));
    onTestFinished(() => rm(keys, { recursive: true }));
    const from = ['--kubeconfig', '/nowhere', '--from'];
    const place = await scene.location(keys);
    const name = `${namespace}/orders-dump/${record.id}`;
    const listed = await stillpointAlone('list', 'orders-dump', '-n', namespace, '-o', 'name', ...from, place);
    expect([listed.exitCode, listed.stdout.split('\n')], listed.stderr).toEqual([0, expect.arrayContaining([name])]);
    expect((await stillpointAlone('describe', name, ...from, place)).stdout).toContain(
      `${record.objects?.[0]?.sha256}`,
    );
    const checked = await stillpointAlone('check', name, ...from, place);
    expect(checked.stdout, checked.stderr).toMatch(/^backup .* is what its record says: .* unpacked\n$/);
  });

  test('of some databases, encrypted, is all that the bucket has to give: the tools of a machine restore one of them from there', async ({
    skip,
  }) => {
    const identity = await generateX25519Identity();
    const recipients = [await identityToRecipient(identity)];
    const { record: some } = await scene.good(
      await policy('some-dump', { databases: ['orders', 'postgres'], recipients }),
    );
    expect(some.dump?.tool).toMatch(/^pg_dumpall \(PostgreSQL\) 17/);
    if (CLIENTS === undefined) return skip('this machine has no psql');
    const folder = await mkdtemp(join(tmpdir(), 'alone-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'password'), SUPERUSER_PASSWORD);
    await writeFile(join(folder, 'identity'), identity);
    vi.stubEnv('PATH', [CLIENTS, process.env.PATH].join(delimiter));
    onTestFinished(() => void vi.unstubAllEnvs());
    const restored = await stillpointAlone(
      ...[
        'restore',
        `${namespace}/some-dump/latest`,
        '--kubeconfig',
        '/nowhere',
        '--from',
        await scene.location(folder),
      ],
      ...['--host', await addressOf('copy-db-0', namespace), '--user', 'postgres', '--tls', 'disable'],
      ...['--password-file', join(folder, 'password'), '--identity-file', join(folder, 'identity')],
      ...['--database', 'orders', '--into-database', 'alone'],
    );
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('restored into') });
    const copy = { ...server, name: 'copy-db', address: () => addressOf('copy-db-0', namespace) };
    const alone = await during(copy, 'alone', (on) => on.query('SELECT count(*)::int AS rows FROM lines'));
    expect(alone.rows).toEqual([{ rows: ROWS }]);
    return undefined;
  });

  test('is imported into another registry by the record beside it, restored by that, and stays when that is deleted', async () => {
    const elsewhere = inject('registry');
    const name = `${namespace}/orders-dump/${record.id}`;
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-import-'));
    try {
      const [object] = record.objects ?? [];
      const file = join(folder, 'record.yaml');
      await writeFile(file, await s3.bytes(`${PREFIX}/${dirname(object?.key ?? '')}/record.yaml`));
      const imported = await stillpointOf(elsewhere, 'import', file, '-n', namespace, '-o', 'json');
      expect(imported, imported.stderr).toMatchObject({ exitCode: 0 });
      expect(JSON.parse(imported.stdout)).toMatchObject({
        already: false,
        record: { id: record.id, objects: record.objects, imported: { ownsData: false } },
      });
      const again = await stillpointOf(elsewhere, 'import', file, '-n', namespace, '-o', 'json');
      expect(JSON.parse(again.stdout)).toMatchObject({ already: true });
      const listed = await stillpointOf(elsewhere, 'list', 'orders-dump', '-n', namespace, '-o', 'name');
      expect(listed.stdout).toBe(`${name}\n`);
      const into = { registry: elsewhere, onlyDatabase: 'orders', intoDatabase: 'imported' };
      const { ended, pod } = await restore('orders-imported', record, into);
      expect(ended, JSON.stringify(pod.log.slice(-2))).toBe('Complete');
      // By the record that was imported, and not by the one in the bucket.
      expect(JSON.stringify(pod.log)).not.toContain('the record beside the dump is taken');
      const copy = { ...server, name: 'copy-db', address: () => addressOf('copy-db-0', namespace) };
      const count = await during(copy, 'imported', (on) => on.query('SELECT count(*)::int AS rows FROM lines'));
      expect(count.rows).toEqual([{ rows: ROWS }]);
      // What is in the bucket is the other cluster's, to delete as to keep.
      const keys = await s3.keys();
      expect(await stillpointOf(elsewhere, 'delete', name, '--yes', '--with-data')).toMatchObject({ exitCode: 3 });
      const deleted = await stillpointOf(elsewhere, 'delete', name, '--yes');
      expect(deleted, deleted.stderr).toMatchObject({ exitCode: 0 });
      expect((await stillpointOf(elsewhere, 'list', 'orders-dump', '-n', namespace, '-o', 'name')).stdout).toBe('');
      expect(await s3.keys()).toEqual(keys);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('goes with its objects when it is deleted', async () => {
    const { record: later } = await scene.good(policyOfAll);
    const name = `${namespace}/orders-dump/${record.id}`;
    const answer = await stillpointOf(registry, 'delete', name, '--yes');
    expect([answer.exitCode, answer.stderr]).toEqual([0, expect.anything()]);
    expect(answer.stdout).toBe(`backup ${name} deleted, with ${record.objects?.[0]?.location}\n`);
    expect((await s3.keys()).filter((key) => key.includes(record.id))).toEqual([]);
    expect((await s3.keys()).filter((key) => key.includes(later.id))).toHaveLength(3);
    expect((await scene.recordsOf(policyOfAll)).map(({ id }) => id)).toEqual([later.id]);
  });
});

test('in the layout of KubeDB is SQL in its place, and removed by kubectl delete and a prune', async () => {
  const own = await policy('kubedb-dump', { layout: DumpLayout.KUBEDB });
  const { record: first } = await scene.good(own);
  const { record } = await scene.good(own);
  const key = `${PREFIX}/kubedb/${namespace}/kubedb-dump/${first.id}/dumpfile.sql`;
  expect(await s3.keys()).toContain(key);
  expect((await s3.bytes(key)).toString()).toContain('CREATE TABLE public.lines');
  await remove(KINDS.configMap, `${namespace}.kubedb-dump.${first.id}`, registry);
  await jobEnd(await startBackup({ name: 'stillpoint-pruner', namespace: registry }));
  expect((await s3.keys()).filter((each) => each.includes(first.id))).toEqual([]);
  expect((await scene.recordsOf(own)).map(({ id }) => id)).toEqual([record.id]);
});

describe('a dump of another engine', () => otherEngines(() => ({ scene, servers: others })));

describe('a dump that fails leaves a failed record, and nothing in the bucket', () => {
  test('when the tool is killed in the middle', async () => {
    const own = await policy('killed-dump');
    // A table that nobody may read yet: pg_dump waits for it, so that it is in the middle.
    await during(server, 'orders', async (blocker) => {
      await blocker.query('BEGIN');
      await blocker.query('LOCK TABLE lines IN ACCESS EXCLUSIVE MODE');
      const { record, pod } = await scene.attempt(own, async (name) => {
        await eventually('pg_dump waits', async () => (await waiting()) > 0);
        await killTool(name);
      });
      await blocker.query('ROLLBACK');
      expect(pod.exitCode).toBe(4);
      expect(record).toMatchObject({ phase: 'failed', error: { code: 'tool-failed' } });
      expect(record?.objects).toBeUndefined();
    });
    expect((await s3.keys()).filter((key) => key.includes('killed-dump'))).toEqual([]);
    expect(await s3.uploads()).toBe(0);
  });

  test('when the runner is killed, or its pod deleted, and the store dies in the next try: that goes on', async () => {
    const [lost, gone] = [await policy('lost-dump'), await policy('gone-dump')];
    const jobs = await during(server, 'orders', async (blocker) => {
      await blocker.query('BEGIN');
      await blocker.query('LOCK TABLE lines IN ACCESS EXCLUSIVE MODE');
      const [killed, deleted] = [await startBackup(lost), await startBackup(gone)];
      const pods = [await nthPod(killed), await nthPod(deleted)] as const;
      await eventually('both wait', async () => (await waiting()) === 2, { seconds: 60 });
      (await runnerProcess(pods[0], namespace)).kill();
      await remove(KINDS.pod, pods[1], namespace);
      await eventually('what the deleted pod had begun has failed', async () => {
        const [record] = await scene.recordsOf(gone);
        return record?.phase === 'failed' && record.error?.code === 'interrupted';
      });
      // Whose the folder is may be there: until it was removed, or again, of the next pod.
      const left = (await s3.keys()).filter((key) => key.includes('gone-dump'));
      expect(left.filter((key) => !key.endsWith('/owner.yaml'))).toEqual([]);
      for (const [job, first] of [
        [killed, pods[0]],
        [deleted, pods[1]],
      ] as const) {
        const others = async (): Promise<boolean> =>
          (await podsOf(job)).some(({ metadata }) => metadata?.name !== first);
        await eventually('the next pod is there', others, { seconds: 60 });
      }
      // The one that was killed may hold its Lease for half a minute, and on a busy machine a pod takes as long to start.
      await eventually('both wait again', async () => (await waiting()) === 2, { seconds: 150 });
      const isBack = await s3.stop();
      await blocker.query('ROLLBACK');
      await isBack();
      return [killed, deleted];
    });
    for (const [own, job] of [
      [lost, jobs[0]],
      [gone, jobs[1]],
    ] as const) {
      if (job === undefined) throw new Error('there is no Job');
      expect(await jobEnd(job)).toBe('Complete');
      expect(await podsOf(job)).toHaveLength(own === lost ? 2 : 1);
      const [record, ...others] = await scene.recordsOf(own);
      expect(others).toEqual([]);
      expect(record).toMatchObject({ phase: 'succeeded', owner: { jobUid: job.uid } });
      expect((await s3.keys()).filter((key) => key.includes(own.database))).toHaveLength(3);
    }
    expect(await s3.uploads()).toBe(0);
  });

  test('with credentials that the store, or the server, does not accept: before anything is touched', async () => {
    await s3.secret('wrong-store', namespace, 'the-wrong-secret');
    const atStore = await scene.attempt(await policy('refused-dump', {}, { store: 'wrong-store' }));
    expect(atStore.pod.exitCode).toBe(3);
    expect(atStore.record).toMatchObject({ phase: 'failed', error: { code: 'store-credentials-refused' } });
    await scene.login('orders-db-wrong', 'postgres', 'not the password');
    const atServer = await scene.attempt(await policy('denied-dump', {}, { login: 'orders-db-wrong' }));
    expect(atServer.pod.exitCode).toBe(3);
    expect(atServer.record).toMatchObject({ phase: 'failed', error: { code: 'authentication-failed' } });
    const logs = JSON.stringify([atStore.pod.log, atServer.pod.log, atStore.record, atServer.record]);
    expect(logs).not.toMatch(/the-wrong-secret|not the password/);
  });
});

/** How many sessions of pg_dump wait for a lock. */
async function waiting(): Promise<number> {
  return await during(server, 'postgres', async (on) => {
    const sql =
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name <> '' AND wait_event_type = 'Lock'";
    return (await on.query<{ n: number }>(sql)).rows[0]?.n ?? 0;
  });
}

/** Ends the engine's tool in a runner's pod, as the kernel would. */
async function killTool(pod: string): Promise<void> {
  const { pid } = await runnerProcess(pod, namespace);
  for (const child of await childrenOf(pid)) process.kill(child, 'SIGKILL');
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const { readFile, readdir } = await import('node:fs/promises');
  const tasks = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8')));
  return lists
    .flatMap((list) => list.trim().split(' '))
    .filter((each) => each !== '')
    .map(Number);
}
