/** A backup before a deployment: the Job that a GitOps tool applies and waits for. */
import { Chart, Duration, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupVolume, DeploymentTool, PostgresBackup, PreDeploymentBackup, Registry, SnapshotClass } from 'stillpoint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LABELS } from '../../src/contract';
import { type Anything, apply, KINDS, read, remove } from './harness/cluster';
import { jobEnd, nthPod, podEnd, type TestJob } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { NEVER } from './harness/never';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { recordsOf } from './harness/records';
import { stillpoint } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';

let namespace: TestNamespace;
let server: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('deployment');
  server = await startPostgres({ namespace: namespace.name, version: '17' });
  await sql('CREATE TABLE ledger AS SELECT generate_series(1, 1000) AS number');
});

afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
});

async function sql(statement: string): Promise<string> {
  const client = await server.connect();
  const { rows = [] } = await client.query<Record<string, unknown>>(statement);
  await client.end();
  return String(Object.values(rows[0] ?? {})[0]);
}

/** What Git holds: a policy, and the backup before a deployment, as two parts. */
function manifests(
  tool: DeploymentTool,
  revision: string,
  className = thisRun.registry,
): { policy: Anything[]; before: Anything[]; job: string } {
  const chart = new Chart(Testing.app(), 'policy', { namespace: namespace.name });
  const backup = new PostgresBackup(chart, server.name, {
    host: server.name,
    name: `${server.name}-${className.slice(0, 20)}`,
    credentials: Secret.fromSecretName(chart, 'login', server.credentials),
    volumes: [BackupVolume.fromClaimName(server.claims.data)],
    snapshotClass: SnapshotClass.fromName(className),
    schedule: NEVER,
    registry: Registry.fromNamespace(thisRun.registry, 0),
    image: thisRun.image,
    deadline: Duration.minutes(4),
    budget: Duration.seconds(className === thisRun.registry ? 30 : 3),
  });
  const job = new PreDeploymentBackup(chart, 'before', { backup, tool, revision }).jobName;
  const all: Anything[] = chart.toJson();
  const isBefore = ({ metadata }: Anything): boolean => metadata?.name === job;
  return { policy: all.filter((each) => !isBefore(each)), before: all.filter(isBefore), job };
}

async function jobOf(name: string): Promise<TestJob> {
  const job = await eventually(
    `Job ${name} is there`,
    async () => (await read(KINDS.job, name, namespace.name)) ?? undefined,
  );
  return { name, namespace: namespace.name, uid: job.metadata?.uid ?? '' };
}

async function backups(): Promise<
  readonly { readonly id: string; readonly phase: string; readonly revision?: string | undefined }[]
> {
  return await recordsOf({ name: server.name, namespace: namespace.name, database: server.name });
}

test('as Argo CD applies it: the Job completes when the backup is ready; a sync again takes another', async () => {
  const { policy, before, job } = manifests(DeploymentTool.ARGO_CD, 'v1.0.0');
  await apply(policy);
  await apply(before);
  expect(await jobEnd(await jobOf(job))).toBe('Complete');
  const [first] = await recordsOf({ name: server.name, namespace: namespace.name, database: server.name });
  expect(first).toMatchObject({ phase: 'succeeded', trigger: 'pre-deployment', revision: 'v1.0.0' });
  expect(first?.times.ready).toBeDefined();
  const snapshot = await read(KINDS.snapshot, first?.cuts[0]?.snapshot ?? '', namespace.name);
  expect(snapshot?.metadata?.labels).toMatchObject({
    [LABELS.trigger]: 'pre-deployment',
    [LABELS.revision]: 'v1.0.0',
  });

  // BeforeHookCreation, done by hand: there is no Argo CD here.
  await remove(KINDS.job, job, namespace.name);
  await eventually(
    'the hook of the sync before is gone',
    async () => (await read(KINDS.job, job, namespace.name)) === undefined,
  );
  await apply(before);
  expect(await jobEnd(await jobOf(job))).toBe('Complete');
  expect((await backups()).map(({ phase, revision }) => [phase, revision])).toEqual([
    ['succeeded', 'v1.0.0'],
    ['succeeded', 'v1.0.0'],
  ]);
});

test('a deployment that went wrong is gone back from, in place: all on one volume, and nothing held', async () => {
  const [, latest] = await recordsOf({ name: server.name, namespace: namespace.name, database: server.name });
  expect(latest?.layout).toBe('atomic');
  await sql('DROP TABLE ledger');
  const args = ['restore', latest?.id ?? '', '-n', namespace.name, '--in-place', '--yes', '--no-backup-first'];
  const restored = await stillpoint(...args);
  expect(restored, restored.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('The way back:') });
  expect(await sql('SELECT count(*) FROM ledger')).toBe('1000');
  expect(await sql('SELECT pg_walfile_name(pg_current_wal_lsn())')).toMatch(/^00000002/);
});

test('as Flux applies it: one backup for each revision, and none for the same one again', async () => {
  const one = manifests(DeploymentTool.FLUX, 'v2.0.0');
  await apply([...one.policy, ...one.before]);
  expect(await jobEnd(await jobOf(one.job))).toBe('Complete');
  const taken = (await backups()).length;
  await apply([...one.policy, ...manifests(DeploymentTool.FLUX, 'v2.0.0').before]);
  expect((await backups()).length).toBe(taken);
  const next = manifests(DeploymentTool.FLUX, 'v2.0.1');
  await apply([...next.policy, ...next.before]);
  expect(await jobEnd(await jobOf(next.job))).toBe('Complete');
  expect((await backups()).map(({ revision }) => revision)).toEqual(['v1.0.0', 'v1.0.0', 'v2.0.0', 'v2.0.1']);
});

test('a backup that fails fails the Job, and so the deployment', async () => {
  const { policy, before, job } = manifests(DeploymentTool.ARGO_CD, 'v3.0.0', 'disk-broken');
  await apply(policy);
  await apply(before);
  const broken = await jobOf(job);
  const { exitCode } = await podEnd(await nthPod(broken), namespace.name);
  expect(exitCode).toBe(4);
  expect(await jobEnd(broken, 240)).toBe('Failed');
  expect((await backups()).filter(({ revision }) => revision === 'v3.0.0')).toMatchObject([{ phase: 'failed' }]);
});
