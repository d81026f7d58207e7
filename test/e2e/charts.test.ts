/**
 * The examples of dist/, one an engine, applied as they are and put to work: each backs up a server of the name that it
 * has there. Only the namespaces, the snapshot class and the image are other than in the files.
 */
import { globSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { type DumpConfig, type JobConfig, MOUNTS } from '../../src/contract';
import { ledgerIn, startBackend } from './harness/backend';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { type Anything, apply, KINDS, patch, read } from './harness/cluster';
import { MONGO_TITLE, startMongo } from './harness/mongo';
import { startMySql } from './harness/mysql';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { startStorageManagers } from './harness/nuodb';
import type { TestPolicy } from './harness/policy';
import { BACKUP_PASSWORD, SUPERUSER_PASSWORD, startPostgres } from './harness/postgres';
import { startRedis } from './harness/redis';
import { startS3 } from './harness/s3';
import { stillpoint } from './harness/stillpoint';

let namespace: TestNamespace;

beforeAll(async () => {
  namespace = await makeNamespace('charts');
});
afterAll(() => namespace[Symbol.asyncDispose]());

/** Applies one file of dist/, and says which policy it is. */
async function applied(chart: string): Promise<TestPolicy> {
  const [file = `no chart ${chart}`] = globSync(`dist/*-${chart}.k8s.yaml`);
  const objects = parseAllDocuments(moved(readFileSync(file, 'utf8'))).map((document): Anything => document.toJS());
  await apply(objects);
  const name = objects.find(({ kind }) => kind === 'CronJob')?.metadata?.name ?? '';
  // The test starts its Jobs, whatever minute it is.
  await patch(KINDS.cronJob, name, namespace.name, { spec: { suspend: true } });
  return { name, namespace: namespace.name, database: (await configOf(name)).spec.database };
}

function moved(text: string): string {
  const registry = inject('registry');
  return text
    .replaceAll(/\bshop\b/g, namespace.name)
    .replaceAll(/\bstillpoint:\d[\d.]*/g, inject('image'))
    .replaceAll(/(namespace|className): stillpoint$/gm, `$1: ${registry}`)
    .replaceAll(/^( *- )stillpoint$/gm, `$1${registry}`);
}

async function configOf(policy: string): Promise<JobConfig> {
  return parse((await read(KINDS.configMap, policy, namespace.name))?.data[MOUNTS.configFile]) as JobConfig;
}

test('accounts: MySQL 9, exact to the transaction', async () => {
  await startMySql({ namespace: namespace.name, image: 'mysql:9' });
  expect(succeeded(await takeBackup(await applied('accounts')))).toMatchObject({
    freezes: 'writes',
    position: { exact: 'true' },
  });
});

test('sessions: Redis 8, exact to the write, with a guard', async () => {
  await startRedis({ namespace: namespace.name, image: 'redis:8' });
  expect(succeeded(await takeBackup(await applied('sessions')))).toMatchObject({
    freezes: 'writes',
    position: { exact: 'true' },
    heldUndone: { by: 'runner' },
  });
});

test('orders: PostgreSQL 17, with nothing that waits', async () => {
  await startPostgres({ namespace: namespace.name, version: '17' });
  const login = { username: 'stillpoint', password: BACKUP_PASSWORD };
  const metadata = { name: 'orders-db', namespace: namespace.name };
  await apply([{ ...KINDS.secret, metadata, stringData: login } as Anything]);
  expect(succeeded(await takeBackup(await applied('orders')))).toMatchObject({ layout: 'atomic', freezes: 'nothing' });
});

test('orders-dump: PostgreSQL 17 to a bucket, which is another than in the file', async () => {
  const s3 = await startS3(namespace.name);
  await s3.secret('store', namespace.name);
  const login = { username: 'postgres', password: SUPERUSER_PASSWORD };
  await apply([
    {
      ...KINDS.secret,
      metadata: { name: 'orders-db-admin', namespace: namespace.name },
      stringData: login,
    } as Anything,
  ]);
  const policy = await applied('orders-dump');
  const { spec, ...config } = parse(
    (await read(KINDS.configMap, policy.name, namespace.name))?.data[MOUNTS.configFile],
  ) as DumpConfig;
  expect(spec.storage.s3).toEqual({ bucket: `backups-of-${namespace.name}`, region: 'eu-central-1' });
  const here = { bucket: s3.bucket, endpoint: s3.endpoint, pathStyle: true };
  const text = stringify({ ...config, spec: { ...spec, storage: { ...spec.storage, s3: here } } });
  await patch(KINDS.configMap, policy.name, namespace.name, { data: { [MOUNTS.configFile]: text } });
  const { objects: [object] = [] } = succeeded(await takeBackup(policy));
  expect(await s3.keys()).toContain(object?.key);
});

test('messaging: NuoDB (a stand-in), whose archive alone stands still', async () => {
  const managers = await startStorageManagers({ namespace: namespace.name });
  expect(succeeded(await takeBackup(await applied('messaging')))).toMatchObject({
    engine: 'nuodb',
    freezes: 'log-recycling',
    volumes: [{ claim: `archive-volume-${managers.pod(0)}` }, { claim: `journal-volume-${managers.pod(0)}` }],
    heldUndone: { by: 'runner' },
  });
  expect(await managers.state()).toMatchObject({ frozen: false, backup: '' });
});

test('uploads: files of an application, held by its own commands and by fsfreeze, end where it stood', async () => {
  const backend = await startBackend({ namespace: namespace.name });
  await backend.more(20);
  const policy = await applied('uploads');
  const record = succeeded(await takeBackup(policy));
  await backend.more(1);
  const { held, linesWhenHeld } = await backend.state();
  expect(held).toBe(false);
  expect(record).toMatchObject({
    freezes: 'writes',
    proof: { holds: true, after: { facts: { 'hook.writer': 'held', 'hook.files': 'held' } } },
    held: [{ undo: { hook: 'writer' } }, { undo: { hook: 'files' } }],
    heldUndone: { by: 'runner' },
  });
  const answer = await stillpoint(
    'restore',
    `${namespace.name}/${policy.database}/${record.id}`,
    '--claim',
    'uploads-copy',
  );
  expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
  const lines = await ledgerIn('uploads-copy', namespace.name);
  expect(lines).toEqual(Array.from({ length: linesWhenHeld }, (_, index) => index + 1));
});

test(`catalogue: ${MONGO_TITLE}, which has no secondary: refused as it is, backed up where the primary will do`, async () => {
  await startMongo({ namespace: namespace.name });
  const policy = await applied('catalogue');
  const { error } = await attemptBackup(policy);
  expect(error).toMatchObject({ code: 'member-unsuitable', hint: expect.stringContaining('MongoMember.PRIMARY') });
  const { spec, ...config } = await configOf(policy.name);
  const text = stringify({ ...config, spec: { ...spec, engineOptions: { ...spec.engineOptions, member: 'primary' } } });
  await patch(KINDS.configMap, policy.name, namespace.name, { data: { [MOUNTS.configFile]: text } });
  expect(succeeded(await takeBackup(policy))).toMatchObject({ freezes: 'writes', heldUndone: { by: 'runner' } });
});
