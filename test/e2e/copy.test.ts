/**
 * Copies of snapshots on the cluster, as users have them: a backup of a PostgreSQL, its files in a store that speaks S3, encrypted, and
 * claims of another class that a server comes up on, with a registry that never saw the backup.
 */

import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { Chart, Size, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupVolume,
  PostgresBackup,
  Registry,
  SnapshotClass,
  SnapshotCopy,
  SnapshotCopyRestore,
  type SnapshotCopyRestoreProps,
  VolumeRole,
} from 'stillpoint';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type BackupRecord, COMPONENTS, LABELS } from '../../src/contract';
import { type Anything, apply, create, KINDS, list, read, remove } from './harness/cluster';
import { DumpScene, type Policy, PREFIX } from './harness/dump-scene';
import { jobEnd, nthPod, podsOf, startBackup } from './harness/job';
import { NEVER } from './harness/never';
import { startOnClaims, startPostgres, type TestPostgres } from './harness/postgres';
import { stillpointOf } from './harness/stillpoint';
import { eventually } from './harness/wait';

const ROWS = 54_321;

let scene: DumpScene;
let namespace: string;
let server: TestPostgres;
let backup: Policy;
let copies: Policy;
let recipient: string;

beforeAll(async () => {
  scene = await DumpScene.start('copy');
  ({ namespace } = scene);
  const identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  await scene.secret('copy-identity', { 'key.txt': `# made by a test\n${identity}\n` });
  server = await startPostgres({ namespace, version: '17', separateWal: true });
  const client = await server.connect();
  await client.query(`CREATE TABLE ledger AS SELECT n, md5(n::text) AS word FROM generate_series(1, ${ROWS}) n`);
  await client.end();
  copies = await scene.policy('orders-copy', (chart, shared) => {
    const { storage, ...usual } = shared;
    const of = new PostgresBackup(chart, 'orders-db', {
      ...usual,
      host: server.name,
      credentials: Secret.fromSecretName(chart, 'login', server.credentials),
      volumes: [
        BackupVolume.fromStatefulSet(server.name, 'data'),
        BackupVolume.fromStatefulSet(server.name, 'wal', { role: VolumeRole.LOG }),
      ],
      separateWal: true,
      snapshotClass: SnapshotClass.fromName(inject('registry')),
      schedule: NEVER,
    });
    backup = { name: of.policyName, namespace, database: of.databaseName };
    return new SnapshotCopy(chart, 'orders-copy', {
      ...usual,
      of,
      storage,
      schedule: NEVER,
      recipients: [recipient],
      retention: { keepLast: 1 },
    });
  });
});
afterAll(() => scene?.[Symbol.asyncDispose]());

/** What there is in the namespace for the sake of a copy: claims, orders, workers. */
async function leftOfCopies(): Promise<readonly string[]> {
  const of = (component: string): string => `${LABELS.component}=${component}`;
  const found = [
    ...(await list(KINDS.claim, namespace, of(COMPONENTS.copy))),
    ...(await list(KINDS.configMap, namespace, of(COMPONENTS.copy))),
    ...(await list(KINDS.pod, namespace, of(COMPONENTS.copyWorker))),
  ];
  return found.map(({ kind = '', metadata }) => `${kind} ${metadata?.name}`);
}

const folderOf = ({ database, id }: BackupRecord): string => `${PREFIX}/stillpoint/${namespace}/${database}/${id}`;

let source: BackupRecord;
let copied: BackupRecord;

test('there is nothing to copy before the first backup: the Job is complete, and leaves no record', async () => {
  const { pod, record } = await scene.attempt(copies);
  expect([pod.exitCode, record]).toEqual([0, undefined]);
  expect(pod.log.map(({ message }) => message)).toContain('nothing is copied: there is no good backup yet');
  expect(await leftOfCopies()).toEqual([]);
});

test('the newest backup is copied: archive, manifest and record in the bucket, and nothing left in the namespace', async () => {
  source = (await scene.good(backup)).record;
  copied = (await scene.good(copies)).record;
  expect(copied).toMatchObject({
    mode: 'dump',
    engine: 'postgres',
    copy: { of: { namespace, database: 'orders-db', id: source.id } },
    warnings: [],
  });
  expect(copied.copy?.volumes?.map(({ name }) => name).sort()).toEqual(['data', 'log']);
  const files = ['files.tar.zst.age', 'manifest.jsonl.zst.age', 'owner.yaml', 'record.yaml'];
  expect(await scene.s3.keys()).toEqual(files.map((file) => `${folderOf(copied)}/${file}`));
  expect((await scene.s3.bytes(`${folderOf(copied)}/files.tar.zst.age`)).length).toBe(copied.objects?.[0]?.bytes);
  expect(await leftOfCopies()).toEqual([]);
  const worker = await read(KINDS.deployment, 'orders-copy-backup-worker', namespace);
  expect(worker?.spec.replicas).toBe(0);
});

test('it is copied once', async () => {
  const { pod, record } = await scene.attempt(copies);
  expect([pod.exitCode, record]).toEqual([0, undefined]);
});

test('lists and descriptions name its kind, and what it is of', async () => {
  const wide = await stillpointOf(scene.registry, 'list', 'orders-copy', '-n', namespace, '-o', 'wide');
  expect(wide.stdout).toMatch(new RegExp(`${copied.id} .* copy .* files .*files.tar.zst.age`));
  const { stdout } = await scene.describe(copied);
  expect(stdout).toMatch(new RegExp(`Copy of: +${namespace}/orders-db/${source.id}; `));
  const doctor = await stillpointOf(scene.registry, 'doctor', 'orders-copy', '-n', namespace);
  expect(doctor.stdout).toContain(`its newest good backup, ${source.id}, was copied already`);
});

/** Restores by the construct. */
function restore(id: string, props: Partial<SnapshotCopyRestoreProps> = {}, registry = inject('registry')) {
  return scene.restore(
    id,
    (chart, shared) =>
      new SnapshotCopyRestore(chart, id, {
        ...shared,
        database: copied.database,
        backup: copied.id,
        identity: Secret.fromSecretName(chart, 'identity', 'copy-identity'),
        volumes: source.volumes.map(({ name, mountPath = '' }) => ({
          ...{ name, mountPath, size: Size.mebibytes(512), storageClassName: 'disk-wait' },
        })),
        ...props,
      }),
    registry,
  );
}

async function restoredRows(id: string): Promise<readonly unknown[]> {
  const claims = { data: `${id}-data`, wal: `${id}-log` };
  const copy = await startOnClaims({ name: id, namespace, image: server.image }, claims);
  const { rows } = await copy.query(
    'SELECT count(*)::int, sum(n)::bigint::text, md5(string_agg(word, NULL ORDER BY n)) FROM ledger',
  );
  await copy.end();
  return rows;
}

test.each([
  ['as the owner of the files', 'by-owner', { runAsUser: 999 }],
  ['by root', 'by-root', {}],
])(
  'a server comes up on what was restored %s, with exactly the rows, where nobody knows of the backup',
  async (_, id, props) => {
    const { ended, pod } = await restore(id, props);
    expect([ended, pod.exitCode], JSON.stringify(pod.log.slice(-3))).toEqual(['Complete', 0]);
    const client = await server.connect();
    const { rows } = await client.query(
      'SELECT count(*)::int, sum(n)::bigint::text, md5(string_agg(word, NULL ORDER BY n)) FROM ledger',
    );
    await client.end();
    expect(rows).toMatchObject([{ count: ROWS }]);
    expect(await restoredRows(id)).toEqual(rows);
  },
);

test('a claim that holds something is refused, and stays as it is', async () => {
  const { name, uid } = await refused('again', ['by-owner-data', 'by-owner-log']);
  const [pod] = await podsOf({ name, namespace, uid });
  const { exitCode, message } = pod?.status?.initContainerStatuses?.[0]?.state?.terminated ?? {};
  expect([exitCode, message]).toEqual([3, expect.stringContaining('restore-exists')]);
});

async function refused(
  id: string,
  claimNames: readonly string[],
): Promise<{ readonly name: string; readonly uid: string }> {
  // The server that runs there holds the claims on its node.
  await remove(KINDS.pod, 'by-owner', namespace);
  await eventually('the server is gone', async () => (await read(KINDS.pod, 'by-owner', namespace)) === undefined);
  const chart = new Chart(Testing.app(), id, { namespace });
  const { jobName } = new SnapshotCopyRestore(chart, id, {
    ...{ database: copied.database, backup: copied.id, image: inject('image'), storage: scene.storage(chart) },
    registry: Registry.fromNamespace(scene.registry),
    identity: Secret.fromSecretName(chart, 'identity', 'copy-identity'),
    volumes: source.volumes.map(({ name, mountPath = '' }, index) => ({
      ...{
        name,
        mountPath,
        size: Size.mebibytes(512),
        storageClassName: 'disk-wait',
        claimName: claimNames[index] ?? '',
      },
    })),
    runAsUser: 999,
  });
  await apply(chart.toJson());
  const found = await eventually(`Job ${jobName} is there`, () => read(KINDS.job, jobName, namespace));
  const job = { name: jobName, namespace, uid: found.metadata?.uid ?? '' };
  expect(await jobEnd(job)).toBe('Failed');
  return job;
}

test('a runner that is killed while the worker reads is made good by the next pod of its Job', async () => {
  await scene.good(backup);
  const job = await startBackup(copies);
  const pod = await nthPod(job);
  await eventually('a worker is there', async () => {
    const pods = await list(KINDS.pod, namespace, `${LABELS.component}=${COMPONENTS.copyWorker}`);
    return pods.length > 0;
  });
  await remove(KINDS.pod, pod, namespace, 0);
  expect(await jobEnd(job)).toBe('Complete');
  const again = (await scene.recordsOf(copies)).find(({ owner }) => owner.jobUid === job.uid);
  expect(again?.phase).toBe('succeeded');
  expect(again?.owner.pod).not.toBe(pod);
  expect(await leftOfCopies()).toEqual([]);
  expect(await scene.s3.uploads()).toBe(0);
});

test('a copy that fails leaves nothing in the bucket nor in the namespace, and a failed record', async () => {
  const before = await scene.s3.keys();
  await scene.good(backup);
  await scene.s3.secret('store', namespace, 'another-secret');
  const { pod, record } = await scene.attempt(copies);
  await scene.s3.secret('store', namespace);
  expect(pod.exitCode).not.toBe(0);
  expect(record).toMatchObject({ phase: 'failed', error: { code: 'store-credentials-refused' } });
  expect(await scene.s3.keys()).toEqual(before);
  expect(await leftOfCopies()).toEqual([]);
});

test('the retention of its own removes the older copy with its data', async () => {
  await jobEnd(await startBackup({ name: 'stillpoint-pruner', namespace: scene.registry }));
  const left = (await scene.recordsOf(copies)).filter(({ phase }) => phase === 'succeeded');
  expect(left).toHaveLength(1);
  expect((await scene.s3.keys()).filter((key) => key.startsWith(folderOf(copied)))).toEqual([]);
});

test("the policy's account may make no pod, and change nothing of the worker but its scale", async () => {
  const who = `system:serviceaccount:${namespace}:${copies.name}`;
  const may = async (verb: string, group: string, resource: string, name = '', subresource = ''): Promise<boolean> => {
    const review = await create({
      ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview' },
      spec: { user: who, resourceAttributes: { namespace, verb, group, resource, name, subresource } },
    } as Anything);
    return review.status.allowed === true;
  };
  const worker = 'orders-copy-backup-worker';
  expect(await may('patch', 'apps', 'deployments', worker, 'scale')).toBe(true);
  expect(await may('delete', '', 'persistentvolumeclaims', 'orders-copy-backup-data')).toBe(true);
  for (const refusedTo of [
    ['create', '', 'pods'],
    ['create', 'batch', 'jobs'],
    ['create', 'apps', 'deployments'],
    ['patch', 'apps', 'deployments', worker],
    ['patch', 'apps', 'deployments', server.name, 'scale'],
    ['delete', '', 'persistentvolumeclaims', server.claims.data],
    ['get', '', 'secrets', 'store'],
  ] as const) {
    const [verb, group, resource, name, subresource] = refusedTo;
    expect([...refusedTo, await may(verb, group, resource, name, subresource)]).toEqual([...refusedTo, false]);
  }
});
