/** Neo4j Community on the real server: running, as a crash would leave it, and stopped, whatever becomes of who stopped it. */
import { Chart, Duration, Testing } from 'cdk8s';
import { type ISecret, Secret } from 'cdk8s-plus-28';
import { BackupVolume, Neo4jBackup, type Neo4jBackupProps, WorkloadRef } from 'stillpoint';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Target } from '../../runner/engine';
import { Connection } from '../../runner/engines/neo4j/connection';
import type { StillpointError } from '../../runner/errors';
import { compareLedger } from '../ledger/writer';
import { SOAK } from '../support/soak';
import { startLedger } from './engines/copy';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { selfSigned, type TestCertificate } from './harness/certificate';
import { apply, eventsOn, KINDS, list, patch, read, remove } from './harness/cluster';
import { forget, nthPod, podsOf, startBackup } from './harness/job';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { driverOf, NEO4J_PASSWORD, NEO4J_PORT, startNeo4j, startNeo4jOnClaim, type TestNeo4j } from './harness/neo4j';
import { secret } from './harness/objects';
import { applyPolicyOf, type PolicyOptionsOf, type TestPolicy } from './harness/policy';
import { recordOf, snapshotsLeft } from './harness/records';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

const BUDGET_SECONDS = 8;

const OWN_PASSWORD = 'edges of a graph of its own';
const FIRST_PASSWORD = 'to be changed at once';
const never = new AbortController().signal;

let namespace: TestNamespace;
let graph: TestNeo4j;
let certificate: TestCertificate;
/** Of the same name, and of nobody whom the server knows. */
let other: TestCertificate;

beforeAll(async () => {
  namespace = await makeNamespace('neo4j');
  [certificate, other] = await Promise.all([selfSigned('DNS:graph'), selfSigned('DNS:graph')]);
  graph = await startNeo4j({ namespace: namespace.name, certificate });
  await apply([
    secret({ name: 'other-ca', namespace: namespace.name }, { 'ca.crt': other.certificate }),
    secret({ name: 'own-login', namespace: namespace.name }, { username: 'stillpoint', password: OWN_PASSWORD }),
  ]);
  await makeUsers();
});
afterAll(() => namespace[Symbol.asyncDispose]());

const policyOf = (options: PolicyOptionsOf<Neo4jBackupProps>): Promise<TestPolicy> =>
  applyPolicyOf(Neo4jBackup, { ...graph, volumes: [BackupVolume.fromServerPod('data')] }, options);

const offlinePolicy = (options: PolicyOptionsOf<Neo4jBackupProps>): Promise<TestPolicy> =>
  policyOf({ offline: WorkloadRef.statefulSet('graph'), ...options });

async function replicas(): Promise<number> {
  return (await read(KINDS.statefulSet, 'graph', namespace.name))?.spec.replicas;
}

async function atZero(): Promise<void> {
  await eventually('it is scaled to zero', async () => (await replicas()) === 0, { seconds: 120 });
  await eventually('its pod is gone', async () => (await read(KINDS.pod, graph.pod, namespace.name)) === undefined, {
    seconds: 120,
  });
}

/** Rows of the ledger, written and left alone. */
async function write(rows: number): Promise<void> {
  const client = await graph.connect();
  await client.prepare();
  await client.forget();
  for (let number = 1; number <= rows; number++) await client.add(number);
  await client.end();
}

async function count(): Promise<number> {
  const client = await graph.connect();
  return await client.count().finally(() => client.end());
}

async function inspected(
  policy: TestPolicy,
  id: string,
  claim: string,
): Promise<readonly { severity: string; message: string }[]> {
  const answer = await stillpoint(
    'restore',
    `${namespace.name}/${policy.database}/${id}`,
    '--claim',
    claim,
    '--start',
    '-o',
    'json',
  );
  expect(answer, `${answer.stdout}${answer.stderr}`).toMatchObject({ exitCode: 0 });
  await remove(KINDS.pod, `${claim}-server`, namespace.name, 0);
  return JSON.parse(answer.stdout).server.inspection.findings;
}

/** One who may log in, and one who has to change the password first. Community has users, and no rights. */
async function makeUsers(): Promise<void> {
  const driver = await driverOf(graph.address);
  const make = async (name: string, password: string, change: string): Promise<void> => {
    await driver.executeQuery(
      `CREATE USER ${name} SET PASSWORD $password CHANGE ${change}`,
      { password },
      { database: 'system' },
    );
  };
  await make('stillpoint', OWN_PASSWORD, 'NOT REQUIRED');
  await make('newcomer', FIRST_PASSWORD, 'REQUIRED');
  await driver.close();
}

/** A Secret of the namespace. */
const named = (name: string): ISecret => Secret.fromSecretName(new Chart(Testing.app(), 'secrets'), name, name);

interface Caller {
  readonly username?: string;
  readonly password?: string;
  readonly tls?: Partial<NonNullable<Target['tls']>>;
  /** The name by which it goes to the server: what a certificate has to be for. */
  readonly name?: string;
}

/** Opens the runner's own connection to the server, and asks for its version. */
async function bolt({
  username = 'stillpoint',
  password = OWN_PASSWORD,
  tls,
  name = 'graph',
}: Caller): Promise<unknown> {
  const target: Target = {
    connection: { host: name, port: NEO4J_PORT, usernameFile: '' },
    username,
    password,
    tls: tls && { mode: 'verify-full', ca: certificate.certificate, cert: undefined, key: undefined, ...tls },
  };
  const endpoint = { host: await graph.address(), port: NEO4J_PORT, name };
  const connection = await Connection.open(target, endpoint, never);
  try {
    const { rows } = await connection.ask('asking the version', 'CALL dbms.components()', never);
    return rows[0]?.edition;
  } finally {
    await connection.close();
  }
}

describe('Neo4j over Bolt', () => {
  test.each<[string, () => Caller]>([
    ['in the clear, where the server takes that', () => ({})],
    ['with TLS of its own authority, by its name', () => ({ tls: {} })],
    [
      'with TLS by another name, where the authority alone counts',
      () => ({ tls: { mode: 'verify-ca' }, name: 'elsewhere' }),
    ],
    ['with TLS of an unknown authority, where none counts', () => ({ tls: { mode: 'require', ca: undefined } })],
  ])('a user of its own gets in over Bolt %s', async (_, caller) => {
    expect(await bolt(caller())).toBe('community');
  });

  test.each<[string, () => Caller, string, RegExp]>([
    ['a wrong password', () => ({ password: 'guessed' }), 'authentication-failed', /Security\.Unauthorized/],
    ['a user who is not there', () => ({ username: 'nobody' }), 'authentication-failed', /Security\.Unauthorized/],
    [
      'a password that has to be changed first',
      () => ({ username: 'newcomer', password: FIRST_PASSWORD }),
      'authentication-failed',
      /Security\.CredentialsExpired/,
    ],
    ['another authority', () => ({ tls: { ca: other.certificate } }), 'tls-failed', /CERT|SELF_SIGNED|VERIFY/],
    ['no authority', () => ({ tls: { ca: undefined } }), 'tls-failed', /CERT|SELF_SIGNED|VERIFY/],
    ['a name that the certificate is not for', () => ({ tls: {}, name: 'elsewhere' }), 'tls-failed', /ALTNAME/],
    [
      'a wrong password with TLS',
      () => ({ tls: {}, password: 'guessed' }),
      'authentication-failed',
      /Unauthorized|AuthenticationRateLimit/,
    ],
  ])('over Bolt is refused by %s', async (_, caller, code, message) => {
    const asked = caller();
    const error = (await bolt(asked).catch((thrown: unknown) => thrown)) as StillpointError;
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(/\w/) });
    for (const word of [OWN_PASSWORD, FIRST_PASSWORD, 'guessed']) expect(JSON.stringify(error)).not.toContain(word);
    expect(error.message).toContain(`${await graph.address()}:${NEO4J_PORT}`);
  });

  test('a backup over Bolt with TLS of its own authority, by a user of its own, succeeds; of another authority it is refused', async () => {
    const credentials = 'own-login';
    const own = { database: 'secured', credentials, certificateAuthority: named('graph-tls') };
    const record = succeeded(await takeBackup(await policyOf(own)));
    expect(record).toMatchObject({ engine: 'neo4j', proof: { holds: true } });
    const foreign = { database: 'foreign', credentials, certificateAuthority: named('other-ca') };
    const { error, record: failed, pod } = await attemptBackup(await policyOf(foreign));
    expect(error).toMatchObject({ code: 'tls-failed' });
    expect(failed).toMatchObject({ phase: 'failed' });
    expect(JSON.stringify([pod.log, failed, record])).not.toContain(OWN_PASSWORD);
    expect(await snapshotsLeft(namespace.name, 'foreign')).toEqual([]);
  });
});

describe('Neo4j, running', () => {
  test('rule 5: what was acknowledged before the cut is in the copy, which recovers, and the record says what it is', async () => {
    const policy = await policyOf({ database: 'running' });
    await using ledger = await startLedger(graph);
    await ledger.more(200);
    const record = succeeded(await takeBackup(policy));
    await ledger.more(20);
    await ledger.stop();
    expect(record).toMatchObject({
      engine: 'neo4j',
      layout: 'atomic',
      freezes: 'nothing',
      position: { mode: 'crash', exact: 'false', transaction: expect.stringMatching(/^\d+$/) },
      proof: { holds: true },
    });
    expect(record.warnings?.join()).toMatch(/crash-consistent: the server runs while it is cut/);
    expect(JSON.stringify(record)).not.toContain(NEO4J_PASSWORD);
    const described = await stillpoint('describe', `${namespace.name}/running/${record.id}`);
    expect(described.stdout).toMatch(/crash-consistent/);

    const findings = await inspected(policy, record.id, uniqueName('running-seen'));
    expect(findings.map(({ severity }) => severity)).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(findings.map(({ message }) => message).join()).toMatch(/at or after the recorded \d+; it has \d+ nodes/);

    const own = uniqueName('running-own');
    const restored = await stillpoint('restore', `${namespace.name}/running/${record.id}`, '--claim', own);
    expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
    const copy = await startNeo4jOnClaim({ ...graph, name: own, claim: own });
    const numbers = await copy.numbers().finally(() => copy.end());
    await remove(KINDS.pod, own, namespace.name);
    const { firstAsked = '', lastCutSeen = '' } = record.times;
    const verdict = compareLedger(ledger.rows, numbers, {
      firstAsked: Date.parse(firstAsked),
      lastSeen: Date.parse(lastCutSeen),
    });
    expect(verdict).toMatchObject({ lost: [], foreign: [] });
    process.stdout.write(
      `    running: ${verdict.present} rows, cut in ${record.freezeWindowMs} ms, longest commit ${Math.round(ledger.longestStallMs())} ms\n`,
    );
  });
});

describe('Neo4j, stopped', () => {
  // What an earlier test has started takes its time to answer.
  beforeEach(async () => {
    await eventually('it serves', async () => (await count()) >= 0, { seconds: 180 });
  });

  test('is scaled back as soon as it is cut, not when that is ready; downtime and proof are on record', async () => {
    await write(50);
    const policy = await offlinePolicy({ database: 'stopped', className: 'disk-slow' });
    const job = await startBackup(policy);
    // Its pod is away for so short a time that it may not be seen to be gone.
    await eventually('it is scaled to zero', async () => (await replicas()) === 0, { seconds: 120 });
    await eventually('it is started again', async () => (await replicas()) === 1, { seconds: 90 });
    expect((await recordOf(policy, job)).phase).not.toBe('succeeded');
    const record = await eventually(
      'the backup has succeeded',
      async () => {
        const found = await recordOf(policy, job);
        return found.phase === 'succeeded' ? found : undefined;
      },
      { seconds: 180 },
    );
    expect(record).toMatchObject({
      freezes: 'everything',
      held: [{ by: 'workload', member: 'statefulset/graph', undo: { replicas: '1' } }],
      heldUndone: { by: 'runner' },
      position: { mode: 'offline' },
      proof: { holds: true, before: { facts: { replicas: '0', holders: 'none' } } },
    });
    expect(record.proof?.after.facts).toEqual(record.proof?.before.facts);
    expect(record.downtimeMs).toBeGreaterThan(record.freezeWindowMs ?? Number.NaN);
    expect(await count()).toBe(50);
    const findings = await inspected(policy, record.id, uniqueName('stopped-seen'));
    expect(findings.map(({ severity }) => severity)).toEqual(['ok', 'ok', 'ok', 'ok']);
    const described = await stillpoint('describe', `${namespace.name}/stopped/${record.id}`);
    expect(described.stdout).toMatch(/Downtime:\s+\d.* from being told to stop to being ready again/);
    process.stdout.write(`    stopped: held ${record.freezeWindowMs} ms, downtime ${record.downtimeMs} ms\n`);
    await forget(job);
  });

  test('rule 2: is refused where somebody else sets its replicas, or where another workload is named; it runs on', async () => {
    const annotations = { 'argocd.argoproj.io/tracking-id': 'shop:apps/StatefulSet:x/graph' };
    await patch(KINDS.statefulSet, 'graph', namespace.name, { metadata: { annotations } });
    const contested = await attemptBackup(await offlinePolicy({ database: 'contested' }));
    expect(contested.error).toMatchObject({ code: 'workload-contested' });
    await patch(KINDS.statefulSet, 'graph', namespace.name, {
      metadata: { annotations: { 'argocd.argoproj.io/tracking-id': null } },
    });
    const other = await attemptBackup(
      await offlinePolicy({ database: 'other', offline: WorkloadRef.deployment('graph') }),
    );
    expect(other.error).toMatchObject({ code: 'offline-unsuitable' });
    expect(other.error?.message).toMatch(/is of StatefulSet graph, and the policy has Deployment graph stopped/);
    expect([await replicas(), other.record?.held]).toEqual([1, undefined]);
  });

  test('rule 6: is no backup when somebody starts it under the cut', async () => {
    const policy = await offlinePolicy({ database: 'disturbed', className: 'disk-late', budget: Duration.seconds(30) });
    const job = await startBackup(policy);
    await atZero();
    await eventually(
      'a snapshot is asked for',
      async () => (await list(KINDS.snapshot, namespace.name, `stillpoint.dev/database=disturbed`)).length > 0,
    );
    await patch(KINDS.statefulSet, 'graph', namespace.name, { spec: { replicas: 1 } });
    await eventually('the backup has failed', async () => (await recordOf(policy, job)).phase === 'failed');
    await forget(job);
    expect((await recordOf(policy, job)).error).toMatchObject({
      code: 'proof-failed',
      message: expect.stringMatching(/graph-0 held data-graph-0/),
    });
    await eventually('nothing is left', async () => (await snapshotsLeft(namespace.name, 'disturbed')).length === 0);
    expect(await replicas()).toBe(1);
  });

  test.each([
    { how: 'is killed', lose: 'kill' as const, seconds: 5 },
    ...(SOAK ? [{ how: 'is deleted with its pod', lose: 'delete' as const, seconds: 60 }] : []),
  ])('rule 8: is started again by its guard when the runner $how while it is at zero', async ({ lose, seconds }) => {
    const policy = await offlinePolicy({
      database: `lost-${lose}`,
      className: 'disk-late',
      budget: Duration.seconds(BUDGET_SECONDS),
    });
    const job = await startBackup(policy, { backoffLimitPerIndex: 0 });
    const pod = await nthPod(job);
    const runner = await runnerProcess(pod, namespace.name);
    await atZero();
    const from = Date.now();
    if (lose === 'kill') runner.kill();
    else await remove(KINDS.pod, pod, namespace.name, 0);
    await eventually('it is scaled back', async () => (await replicas()) === 1, { seconds: 90 });
    const ms = Date.now() - from;
    expect(ms).toBeLessThan((BUDGET_SECONDS + seconds) * 1000);
    expect(await count()).toBe(50);
    const events = await eventsOn(KINDS.job, job.name, job.namespace);
    process.stdout.write(
      `    ${lose}: scaled back after ${ms} ms; ${events.find((event) => event.includes('GuardActed')) ?? 'by the runner itself, which was told to stop'}\n`,
    );
    await forget(job);
    if (lose !== 'kill') return;
    // Whoever stops it after that is no backup: nobody starts it in the middle of their work.
    onTestFinished(() => patch(KINDS.statefulSet, 'graph', namespace.name, { spec: { replicas: 1 } }));
    await patch(KINDS.statefulSet, 'graph', namespace.name, { spec: { replicas: 0 } });
    const healed = await stillpoint('heal', policy.name, '-n', namespace.name);
    expect(healed, healed.stderr).toMatchObject({ exitCode: 0 });
    expect(await replicas(), healed.stdout).toBe(0);
    expect((await recordOf(policy, job)).heldUndone).toMatchObject({
      by: 'guard',
      done: [expect.stringContaining('was scaled back to 1')],
    });
  });

  test('rule 8: is started again by heal, or by the next run, when runner and guard are both gone', async () => {
    const policy = await offlinePolicy({ database: 'both-lost', className: 'disk-late', budget: Duration.seconds(60) });
    const job = await startBackup(policy);
    await atZero();
    onTestFinished(() => patch(KINDS.statefulSet, 'graph', namespace.name, { spec: { replicas: 1 } }));
    const pods = await podsOf(job);
    const processes = await Promise.all(
      pods.map(({ metadata }) => runnerProcess(metadata?.name ?? '', namespace.name)),
    );
    // The guard is the one that would start it.
    for (const process of processes.reverse()) process.kill();
    await forget(job);
    expect(await replicas()).toBe(0);
    const healed = await stillpoint('heal', policy.name, '-n', namespace.name);
    expect(healed, healed.stderr).toMatchObject({ exitCode: 0 });
    expect(healed.stdout).toMatch(/statefulset\/graph was scaled back to 1/);
    expect(await replicas()).toBe(1);
    expect((await recordOf(policy, job)).heldUndone).toMatchObject({ by: 'heal' });
    expect(await count()).toBe(50);
    const again = await stillpoint('heal', policy.name, '-n', namespace.name);
    expect(again.stdout).toMatch(/nothing is held/);
  });
});
