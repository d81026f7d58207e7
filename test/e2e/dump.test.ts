/**
 * Dumps on the cluster, as users have them: a policy in the engine's own image, a store that speaks S3, and back into a
 * server that never saw the first. The registry is the file's own: its pruner is told of the store.
 */
import { zstdDecompressSync } from 'node:zlib';
import { DumpLayout } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import type { BackupRecord } from '../../src/contract';
import { during, PostgresDumps } from './dump/postgres';
import { eventsOn, KINDS, remove } from './harness/cluster';
import { type DumpScene, type Policy, PREFIX } from './harness/dump-scene';
import { jobEnd, startBackup, type TestJob } from './harness/job';
import { SUPERUSER_PASSWORD, startPostgres, type TestPostgres } from './harness/postgres';
import type { TestS3 } from './harness/s3';
import { stillpointOf } from './harness/stillpoint';

let dumps: PostgresDumps;
let scene: DumpScene;
let namespace: string;
let registry: string;
let server: TestPostgres;
let s3: TestS3;

beforeAll(async () => {
  dumps = await PostgresDumps.start('dump');
  ({ scene, server } = dumps);
  ({ namespace, registry, s3 } = scene);
});
afterAll(() => dumps?.[Symbol.asyncDispose]());

describe('a dump by its policy', () => {
  let policyOfAll: Policy;
  let record: BackupRecord;
  let job: TestJob;
  beforeAll(async () => {
    policyOfAll = await dumps.policy('orders-dump', { retention: { keepLast: 10 } });
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
    // Who deletes there has other credentials, and another place to stand.
    expect(answer.stdout).toMatch(/^ok .*bucket backups at .*the pruner reaches it, and may delete there$/m);
    expect(answer.exitCode, answer.stdout + answer.stderr).toBe(0);
  });

  test('is refused to who wants volumes of it', async () => {
    const answer = await stillpointOf(registry, 'restore', `${namespace}/orders-dump/${record.id}`, '--claim', 'copy');
    expect([answer.exitCode, answer.stderr]).toEqual([3, expect.stringContaining('backup-not-restorable')]);
  });

  test('comes back into an empty server with every row, and into no server twice', async () => {
    // Applied before its server: it is waited for.
    const restoring = dumps.restore('orders-copy', record, { checkFirst: true });
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
    const again = await dumps.restore('orders-again', record, { registry: inject('registry') });
    expect(again.pod.exitCode).toBe(3);
    expect(again.pod.log).toContainEqual(expect.objectContaining({ code: 'restore-exists' }));
    expect(JSON.stringify(again.pod.log)).toContain('database orders');
    expect(JSON.stringify(again.pod.log)).toContain('the record beside the dump is taken');
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
  const own = await dumps.policy('kubedb-dump', { layout: DumpLayout.KUBEDB });
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
