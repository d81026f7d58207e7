/** The ways back of a dump: by Jobs, from a terminal, out of the bucket alone, by another registry. */
import { globSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { during, PostgresDumps, ROWS, rowsIn } from './dump/postgres';
import { type DumpScene, PREFIX } from './harness/dump-scene';
import { addressOf } from './harness/pods';
import { SUPERUSER_PASSWORD, startPostgres, type TestPostgres } from './harness/postgres';
import type { TestS3 } from './harness/s3';
import { stillpointAlone, stillpointOf } from './harness/stillpoint';

/** The clients of this machine, where Debian's packages put them. */
const CLIENTS = globSync('/usr/lib/postgresql/*/bin/psql').map((tool) => dirname(tool))[0];

let dumps: PostgresDumps;
let scene: DumpScene;
let namespace: string;
let registry: string;
let copy: TestPostgres;
let s3: TestS3;
let record: BackupRecord;

beforeAll(async () => {
  dumps = await PostgresDumps.start('dump-restore');
  ({ scene, copy } = dumps);
  ({ namespace, registry, s3 } = scene);
  const [{ record: taken }] = await Promise.all([
    scene.good(await dumps.policy('orders-dump', { retention: { keepLast: 10 } })),
    startPostgres({ namespace, version: '17', name: copy.name }),
  ]);
  record = taken;
  // Who owns a database has to be there before it is taken out of a dump.
  await during(copy, 'postgres', (on) => on.query('CREATE ROLE app'));
});
afterAll(() => dumps?.[Symbol.asyncDispose]());

test('a dump of one database, encrypted, is opened by age, and goes into an empty database of another name by its identity', async () => {
  const [identity, offline] = [await generateX25519Identity(), await generateX25519Identity()];
  const recipients = await Promise.all([identity, offline].map(identityToRecipient));
  const { record: one } = await scene.good(await dumps.policy('one-dump', { onlyDatabase: 'orders', recipients }));
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
  const into = { intoDatabase: 'second' };
  const without = await dumps.restore('orders-closed', one, into);
  expect(without.pod.exitCode).toBe(3);
  expect(without.pod.log).toContainEqual(expect.objectContaining({ code: 'key-unusable' }));
  const { ended, pod } = await dumps.restore('orders-second', one, { ...into, identity: 'orders-identity' });
  expect(ended, JSON.stringify(pod.log.slice(-2))).toBe('Complete');
  expect(JSON.stringify(pod.log)).not.toContain(identity);
  expect(await rowsIn(copy, 'second')).toEqual([{ rows: ROWS }]);

  // Out of the dump of all, beside what the server holds by now.
  const out = await dumps.restore('orders-third', record, {
    onlyDatabase: 'orders',
    intoDatabase: 'third',
    checkFirst: true,
  });
  expect(out.ended, JSON.stringify(out.pod.log.slice(-2))).toBe('Complete');
  expect(await rowsIn(copy, 'third')).toEqual([{ rows: ROWS }]);
});

test('a dump is restored from a terminal by a Job that is made of its policy, which says how far it is', async () => {
  await scene.login('copy-admin', 'postgres', SUPERUSER_PASSWORD);
  const name = `${namespace}/orders-dump/${record.id}`;
  const by = (...flags: readonly string[]) =>
    stillpointOf(registry, 'restore', name, '--host', 'copy-db', '--credentials', 'copy-admin', ...flags);
  const answer = await by('--database', 'orders', '--into-database', 'fourth', '--check-first');
  expect([answer.exitCode, answer.stdout], answer.stderr).toEqual([0, `backup ${name} restored into copy-db\n`]);
  expect(answer.stderr).toContain('every byte was what the record says');
  expect(await rowsIn(copy, 'fourth')).toEqual([{ rows: ROWS }]);
  // Of all it would go into a server that holds something.
  const occupied = await by();
  expect([occupied.exitCode, occupied.stderr]).toEqual([3, expect.stringContaining('copy-db:5432 is not empty')]);
  const nobody = await by('--database', 'orders', '--into-database', 'fifth', '--credentials', 'not-there');
  expect([nobody.exitCode, nobody.stderr]).toEqual([3, expect.stringContaining('credentials-unreadable')]);
});

test('a dump is listed, described and checked by the bucket alone, without the cluster', async () => {
  const keys = await mkdtemp(join(tmpdir(), 'keys-'));
  onTestFinished(() => rm(keys, { recursive: true }));
  const from = ['--kubeconfig', '/nowhere', '--from'];
  const place = await scene.location(keys);
  const name = `${namespace}/orders-dump/${record.id}`;
  const listed = await stillpointAlone('list', 'orders-dump', '-n', namespace, '-o', 'name', ...from, place);
  expect([listed.exitCode, listed.stdout.split('\n')], listed.stderr).toEqual([0, expect.arrayContaining([name])]);
  expect((await stillpointAlone('describe', name, ...from, place)).stdout).toContain(`${record.objects?.[0]?.sha256}`);
  const checked = await stillpointAlone('check', name, ...from, place);
  expect(checked.stdout, checked.stderr).toMatch(/^backup .* is what its record says: .* unpacked\n$/);
});

test('a dump of some databases, encrypted, is all that the bucket has to give: the tools of a machine restore one of them from there', async ({
  skip,
}) => {
  const identity = await generateX25519Identity();
  const recipients = [await identityToRecipient(identity)];
  const { record: some } = await scene.good(
    await dumps.policy('some-dump', { databases: ['orders', 'postgres'], recipients }),
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
    ...['restore', `${namespace}/some-dump/latest`, '--kubeconfig', '/nowhere', '--from', await scene.location(folder)],
    ...['--host', await addressOf('copy-db-0', namespace), '--user', 'postgres', '--tls', 'disable'],
    ...['--password-file', join(folder, 'password'), '--identity-file', join(folder, 'identity')],
    ...['--database', 'orders', '--into-database', 'alone'],
  );
  expect(restored, restored.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('restored into') });
  expect(await rowsIn(copy, 'alone')).toEqual([{ rows: ROWS }]);
  return undefined;
});

test('a dump is imported into another registry by the record beside it, restored by that, and stays when that is deleted', async () => {
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
    const { ended, pod } = await dumps.restore('orders-imported', record, into);
    expect(ended, JSON.stringify(pod.log.slice(-2))).toBe('Complete');
    // By the record that was imported, and not by the one in the bucket.
    expect(JSON.stringify(pod.log)).not.toContain('the record beside the dump is taken');
    expect(await rowsIn(copy, 'imported')).toEqual([{ rows: ROWS }]);
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
