/**
 * Copies of records in a store: the pruner keeps them, and a cluster that has lost its registry has its backups from there. Two
 * namespaces with a registry each stand for the two clusters, on one storage.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupVolume, PostgresBackup, Registry, SnapshotClass } from 'stillpoint';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { type Anything, apply, KINDS, list, read, remove } from './harness/cluster';
import { DumpScene, type Policy, PREFIX } from './harness/dump-scene';
import { jobEnd, nthPod, podEnd, startBackup } from './harness/job';
import { makeNamespace, RUN_LABEL, removeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { NEVER } from './harness/never';
import { startOnClaims, startPostgres } from './harness/postgres';
import { type Answer, stillpointAlone, stillpointOf } from './harness/stillpoint';
import { eventually } from './harness/wait';

const ROWS = 1234;

let folder: string;
let scene: DumpScene;
let policy: Policy;
let first: BackupRecord;
/** The other cluster: a namespace, and its registry. */
let elsewhere: TestNamespace;
let registry: TestNamespace;
/** The store, as a person on their machine names it. */
let from: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-copies-'));
  expect(await stillpointAlone('keygen', '--file', at('key'))).toMatchObject({ exitCode: 0 });
  scene = await DumpScene.start('record-copies', (chart, own) => ({
    recordCopies: {
      storage: own.storage(chart, 'store', 'record-store'),
      signingKey: Secret.fromSecretName(chart, 'copies-key', 'copies-key'),
    },
  }));
  [elsewhere, registry] = [await makeNamespace('elsewhere'), await makeNamespace('registry-there')];
  const stringData = { 'stillpoint.key': await readFile(at('key'), 'utf8') };
  const metadata = { name: 'copies-key', namespace: scene.registry };
  await apply([{ apiVersion: 'v1', kind: 'Secret', metadata, stringData } as Anything]);
  from = await scene.location(folder);

  const server = await startPostgres({ namespace: scene.namespace, version: '17' });
  const client = await server.connect();
  await client.query(`CREATE TABLE ledger AS SELECT generate_series(1, ${ROWS}) AS number`);
  await client.end();
  policy = await scene.policy('orders-db', (chart, { storage: _, ...usual }) => {
    return new PostgresBackup(chart, 'orders-db', {
      ...usual,
      host: server.name,
      credentials: Secret.fromSecretName(chart, 'login', server.credentials),
      volumes: [BackupVolume.fromStatefulSet(server.name, 'data')],
      snapshotClass: SnapshotClass.fromName(inject('registry')),
      schedule: NEVER,
      retention: { keepLast: 2 },
    });
  });
  first = (await scene.good(policy)).record;
});
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await elsewhere?.[Symbol.asyncDispose]();
  await scene?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const at = (file: string): string => join(folder, file);
const keyOf = ({ id }: BackupRecord): string => `${PREFIX}/registry/${scene.namespace}/orders-db/${id}.yaml`;

/** The command of the other cluster. */
const there = (...args: readonly string[]): Promise<Answer> => stillpointOf(registry.name, ...args);

const isOfDeployment = ({ metadata }: Anything): boolean =>
  (metadata?.ownerReferences ?? []).some(({ kind }: { readonly kind: string }) => kind === 'ReplicaSet');

async function pruned(of: string): Promise<{ readonly ended: string; readonly said: string }> {
  const job = await startBackup({ name: 'stillpoint-pruner', namespace: of }, { backoffLimit: 0 });
  const { log } = await podEnd(await nthPod(job), of);
  return { ended: await jobEnd(job), said: JSON.stringify(log) };
}

test('a backup is followed by a copy of its record, signed, that a bucket alone shows', async () => {
  await eventually('the copy is there', async () => (await scene.s3.keys()).includes(keyOf(first)), { seconds: 120 });
  const listed = await there('list', '-A', '--from', from);
  expect(listed, listed.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(first.id) });
  const described = await there('describe', `${scene.namespace}/orders-db/latest`, '--from', from, '-o', 'json');
  expect(described, described.stderr).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(described.stdout)).toMatchObject({ id: first.id, cuts: [{ handle: first.cuts[0]?.handle }] });
});

test('another cluster imports it from there, by its signature, and restores it with every row', async () => {
  const name = `${scene.namespace}/orders-db/latest`;
  const wrong = await stillpointAlone('keygen', '--file', at('wrong'));
  expect(wrong).toMatchObject({ exitCode: 0 });
  const refused = await there('import', name, '--from', from, '-n', elsewhere.name, '--verify-key', at('wrong.pub'));
  expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('signature-invalid') });
  const imported = await there('import', name, '--from', from, '-n', elsewhere.name, '--verify-key', at('key.pub'));
  expect(imported, imported.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/imported, with/) });
  const restored = await there('restore', 'latest', '-n', elsewhere.name, '--claim', 'copy');
  expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
  const pod = { name: uniqueName('copy'), namespace: elsewhere.name, image: 'postgres:17' };
  const copy = await startOnClaims(pod, { data: 'copy' });
  const { rows } = await copy.query<{ count: string }>('SELECT count(*) FROM ledger');
  await copy.end();
  expect(Number(rows[0]?.count)).toBe(ROWS);
});

test('all of a store are imported at once, each into its own namespace, and found the second time', async () => {
  // What the lost cluster called it is free in the next one; the storage has what it had.
  const snapshot = first.cuts[0]?.snapshot ?? '';
  await remove(KINDS.snapshot, snapshot, scene.namespace);
  await eventually('it is free', async () => (await read(KINDS.snapshot, snapshot, scene.namespace)) === undefined);
  await using next = await makeNamespace('registry-next');
  for (const said of [/imported, with/, /is there already/]) {
    const all = await stillpointOf(next.name, 'import', '--all', '--from', from, '--verify-key', at('key.pub'));
    expect(all, all.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(said) });
  }
  const listed = await stillpointOf(next.name, 'list', 'orders-db', '-n', scene.namespace, '-o', 'name');
  expect(listed.stdout).toBe(`${scene.namespace}/orders-db/${first.id}\n`);
});

test('the copy of a backup that is gone goes, and those of others stay', async () => {
  const { record: second } = await scene.good(policy);
  await eventually('its copy is there', async () => (await scene.s3.keys()).includes(keyOf(second)), { seconds: 120 });
  await remove(KINDS.configMap, `${scene.namespace}.orders-db.${first.id}`, scene.registry);
  expect(await pruned(scene.registry)).toMatchObject({ ended: 'Complete' });
  await eventually('the copy is gone', async () => !(await scene.s3.keys()).includes(keyOf(first)));
  expect(await scene.s3.keys()).toContain(keyOf(second));
});

test('a backup that is deleted from a terminal takes its copy along, and is not said to be deleted before', async () => {
  const { record: third } = await scene.good(policy);
  await eventually('its copy is there', async () => (await scene.s3.keys()).includes(keyOf(third)), { seconds: 120 });
  const name = `${scene.namespace}/orders-db/${third.id}`;
  const answer = await stillpointOf(scene.registry, 'delete', name, '--yes');
  expect(answer, answer.stderr).toMatchObject({ exitCode: 0, stdout: `backup ${name} deleted, with 1 snapshot\n` });
  expect(await read(KINDS.configMap, `${scene.namespace}.orders-db.${third.id}`, scene.registry)).toBeUndefined();
  // The pruner takes the record first, and goes on to the copy.
  await eventually('its copy is gone', async () => !(await scene.s3.keys()).includes(keyOf(third)), { seconds: 60 });
});

test('doctor says of them where they lie, and which key signs them', async () => {
  const answer = await stillpointOf(scene.registry, 'doctor', '-n', scene.namespace);
  expect(answer.stdout).toMatch(
    /^ok .*copies of records in storage backups +the pruner reaches it, and may delete there$/m,
  );
  expect(answer.stdout).toMatch(/^ok .*copies of records in storage backups +signed by key \w+/m);
});

test('a copy that its store does not let go keeps its record, and the next prune asks again', async () => {
  const { record: fourth } = await scene.good(policy);
  await eventually('its copy is there', async () => (await scene.s3.keys()).includes(keyOf(fourth)), { seconds: 120 });
  const name = `${scene.namespace}.orders-db.${fourth.id}`;
  // With the login that it was started with, it would come in between.
  await eventually('the pruner rests', async () => !(await list(KINDS.pod, scene.registry)).some(isOfDeployment));
  await scene.s3.secret('store', scene.registry, 'a-wrong-secret');
  await remove(KINDS.configMap, name, scene.registry);
  for (const _ of ['tonight', 'tomorrow']) {
    expect(await pruned(scene.registry)).toMatchObject({
      ended: 'Failed',
      said: expect.stringContaining(`${fourth.id}.yaml in the store of recordCopies`),
    });
    const [left] = (await scene.recordsOf(policy)).filter(({ id }) => id === fourth.id);
    expect(left).toMatchObject({
      phase: 'deleting',
      leftovers: [expect.stringContaining(`${fourth.id}.yaml in the store of recordCopies`)],
    });
  }
  expect(await scene.s3.keys()).toContain(keyOf(fourth));
  await scene.s3.secret('store', scene.registry);
  expect(await pruned(scene.registry)).toMatchObject({ ended: 'Complete' });
  expect(await read(KINDS.configMap, name, scene.registry)).toBeUndefined();
  expect(await scene.s3.keys()).not.toContain(keyOf(fourth));
});

test('a registry that was made anew knows nothing of them, and touches none', async () => {
  const before = await scene.s3.keys();
  const anew = uniqueName('e2e-record-copies-anew');
  const chart = new Chart(Testing.app(), 'registry');
  new Registry(chart, 'registry', {
    namespaceName: anew,
    image: inject('image'),
    labels: { [RUN_LABEL]: inject('registry') },
    keepNamespace: false,
    schedule: NEVER,
    recordCopies: { storage: scene.storage(chart) },
  });
  await apply(chart.toJson());
  try {
    await scene.s3.secret('store', anew);
    expect(await pruned(anew)).toMatchObject({
      ended: 'Failed',
      said: expect.stringContaining('the copies there are of another registry'),
    });
    expect(await scene.s3.keys()).toEqual(before);
  } finally {
    await removeNamespace(anew);
  }
});
