/**
 * What users write besides a policy, on the storage of a cluster: a backup before a deployment, and claims of it with the
 * Job that prepares them. The write-ahead log has a volume of its own, so bare claims would lose data.
 */
import { Chart, Size, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupJob,
  BackupTrigger,
  BackupVolume,
  PostgresBackup,
  Registry,
  RestoreClaim,
  SnapshotClass,
  VolumeRole,
} from 'stillpoint';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { backupEnd, succeeded } from './harness/backup';
import { apply, KINDS, list, read } from './harness/cluster';
import { jobEnd, podEnd, podsOf, type TestJob } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { NEVER } from './harness/never';
import type { TestPolicy } from './harness/policy';
import { startOnClaims, startPostgres, type TestPostgres } from './harness/postgres';
import { eventually } from './harness/wait';

const ROWS = 4321;

let namespace: TestNamespace;
let server: TestPostgres;
let before: { readonly policy: TestPolicy; readonly job: TestJob; readonly record: BackupRecord };

beforeAll(async () => {
  namespace = await makeNamespace('constructs');
  server = await startPostgres({
    namespace: namespace.name,
    version: '17',
    separateWal: true,
    storageClass: 'disk-wait',
  });
  const client = await server.connect();
  await client.query(`CREATE TABLE ledger AS SELECT generate_series(1, ${ROWS}) AS number`);
  await client.end();
  before = await backupBeforeDeployment();
});
afterAll(() => namespace[Symbol.asyncDispose]());

function chart(id: string): Chart {
  return new Chart(Testing.app(), id, { namespace: namespace.name });
}

/** The Job of a name, as soon as it is there. */
async function jobNamed(name: string): Promise<TestJob> {
  const found = await eventually(`Job ${name} is there`, () => read(KINDS.job, name, namespace.name));
  return { name, namespace: namespace.name, uid: found.metadata?.uid ?? '' };
}

function preDeployment(): { readonly scope: Chart; readonly policy: TestPolicy; readonly jobName: string } {
  const scope = chart('backup');
  const backup = new PostgresBackup(scope, server.name, {
    host: server.name,
    credentials: Secret.fromSecretName(scope, 'login', server.credentials),
    volumes: [
      BackupVolume.fromStatefulSet(server.name, 'data'),
      BackupVolume.fromStatefulSet(server.name, 'wal', { role: VolumeRole.LOG }),
    ],
    separateWal: true,
    snapshotClass: SnapshotClass.fromName(inject('registry')),
    schedule: NEVER,
    registry: Registry.fromNamespace(inject('registry')),
    image: inject('image'),
  });
  const { jobName } = new BackupJob(scope, 'release-42', { backup, trigger: BackupTrigger.PRE_DEPLOYMENT });
  const policy = { name: backup.policyName, namespace: namespace.name, database: backup.databaseName };
  return { scope, policy, jobName };
}

async function backupBeforeDeployment(): Promise<typeof before> {
  const { scope, policy, jobName } = preDeployment();
  await apply(scope.toJson());
  const job = await jobNamed(jobName);
  return { policy, job, record: succeeded(await backupEnd(policy, job)) };
}

describe('a BackupJob', () => {
  test('takes a backup when it is applied, and says why', () => {
    expect(before.record).toMatchObject({ phase: 'succeeded', trigger: 'pre-deployment', layout: 'backup-mode' });
    expect(before.record.owner.jobName).toBe(before.job.name);
  });

  test('can be applied again, and takes no second one', async () => {
    await apply(preDeployment().scope.toJson());
    expect((await jobNamed(before.job.name)).uid).toBe(before.job.uid);
    expect(await podsOf(before.job)).toHaveLength(1);
  });
});

/** Restores through a RestoreClaim, as a user with the given number if one is given, and counts the rows. */
async function restoredRows(id: string, runAsUser?: number): Promise<number> {
  const scope = chart(id);
  const size = Size.mebibytes(512);
  const restore = new RestoreClaim(scope, id, {
    database: before.policy.database,
    backup: before.record.id,
    volumes: before.record.volumes.map(({ name, mountPath = '' }) => ({
      ...{ name, mountPath, size, storageClassName: 'disk-wait' },
    })),
    registry: Registry.fromNamespace(inject('registry')),
    image: inject('image'),
    ...(runAsUser === undefined ? {} : { runAsUser }),
  });
  await apply(scope.toJson());
  const job = await jobNamed(restore.jobName);
  const ended = await jobEnd(job);
  const [pod] = await podsOf(job);
  const { log } = await podEnd(pod?.metadata?.name ?? '', namespace.name);
  expect([ended, log]).toEqual(['Complete', expect.anything()]);
  const [data = '', wal = ''] = restore.claimNames;
  const copy = await startOnClaims({ name: id, namespace: namespace.name, image: server.image }, { data, wal });
  const { rows } = await copy.query<{ count: string }>('SELECT count(*) FROM ledger');
  const { rows: timeline } = await copy.query('SELECT timeline_id FROM pg_control_checkpoint()');
  await copy.end();
  expect(timeline).toEqual([{ timeline_id: 2 }]);
  return Number(rows[0]?.count);
}

describe('a RestoreClaim', () => {
  test('makes claims that a server comes up on with every row, prepared by root', async () => {
    expect(await restoredRows('by-root')).toBe(ROWS);
  });

  test('does so as the owner of the files, too, without a capability', async () => {
    expect(await restoredRows('by-owner', 999)).toBe(ROWS);
  });

  test('may read its record in the registry, and no other object there', async () => {
    const roles = await list({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' }, inject('registry'));
    const own = roles.find(({ metadata }) => metadata?.name === `stillpoint.${namespace.name}.by-owner-prepare`);
    const { database } = before.policy;
    expect(own?.rules).toEqual([
      {
        apiGroups: [''],
        resources: ['configmaps'],
        resourceNames: [`${namespace.name}.${database}.${before.record.id}`],
        verbs: ['get'],
      },
    ]);
  });
});
