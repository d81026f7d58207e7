/**
 * What the checks refuse, and what goes wrong in the middle of a backup: each has a code of its own, an exit code, a
 * message that names the object, and leaves nothing behind.
 */

import { once } from 'node:events';
import { connect } from 'node:net';
import { BackupVolume } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AttemptEnd, attemptBackup, attemptEnd } from './harness/backup';
import { type Anything, apply, KINDS, list, patch, read, remove } from './harness/cluster';
import { type Gate, openGate } from './harness/gate';
import { nthPod, prune, startBackup, type TestJob } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy, type PolicyOptions, type TestPolicy } from './harness/policy';
import { BACKUP_PASSWORD, SUPERUSER_PASSWORD, startPostgres, type TestPostgres } from './harness/postgres';
import { snapshotsLeft } from './harness/records';
import { slowClass } from './harness/registry';
import { runnerProcess } from './harness/runner-process';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';

let namespace: TestNamespace;
let server: TestPostgres;
/** Another server with its own data, which a Service can be led to. */
let other: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('refused');
  server = await startPostgres({ namespace: namespace.name, version: '17' });
  other = await startPostgres({ namespace: namespace.name, version: '17', name: 'other-db' });
});
afterAll(() => namespace[Symbol.asyncDispose]());

const policyOf = (name: string, options: PolicyOptions = {}): Promise<TestPolicy> =>
  applyPolicy(server, { name, database: name, ...options });

/** What every failure has in common, whatever its reason. */
async function expectTold(end: AttemptEnd, policy: TestPolicy, code: string, exitCode: number): Promise<void> {
  expect({ exitCode: end.pod.exitCode, code: end.error?.code, said: end.error?.message }).toMatchObject({
    exitCode,
    code,
  });
  expect(end.error?.hint, 'an error says what to do').toMatch(/\w/);
  expect(end.record).toMatchObject({ phase: 'failed', error: { code } });
  expect(end.events.at(-1)).toMatch(new RegExp(`^Warning FailedSnapshot: .*\\(${code}\\)$`));
  const written = JSON.stringify([end.pod.log, end.record, end.events]);
  for (const secret of [BACKUP_PASSWORD, SUPERUSER_PASSWORD]) expect(written).not.toContain(secret);
  await expectNothingLeft(policy, end);
}

/** The runner removes its snapshots; the contents, which the class retains, are in the record for the pruner. */
async function expectNothingLeft(policy: TestPolicy, { record }: AttemptEnd): Promise<void> {
  const left = (): Promise<readonly string[]> => snapshotsLeft(namespace.name, `${policy.database}-`);
  await eventually('its snapshots are gone', async () => (await left()).every((name) => /Content of/.test(name)));
  if ((await left()).length === 0) return;
  expect(record?.leftovers?.join(' '), 'what is left is on record').toMatch(/volumesnapshotcontent/i);
  await eventually('the pruner has removed the rest', async () => {
    await prune();
    return (await left()).length === 0;
  });
}

describe('rule 2: refused before anything is touched', () => {
  test('a wrong password', async () => {
    const credentials = 'wrong';
    await apply([
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: credentials, namespace: namespace.name },
        stringData: { username: 'stillpoint', password: 'guessed' },
      } as Anything,
    ]);
    const policy = await applyPolicy({ ...server, credentials }, { name: 'password', database: 'password' });
    const end = await attemptBackup(policy);
    await expectTold(end, policy, 'authentication-failed', 3);
    expect(JSON.stringify([end.pod.log, end.record])).not.toContain('guessed');
    expect(end.error?.message).toContain('stillpoint');
  });

  test('a server that is not there', async () => {
    const policy = await policyOf('nowhere', { host: 'nobody-home' });
    const end = await attemptBackup(policy);
    await expectTold(end, policy, 'server-unreachable', 3);
    expect(end.error?.message).toContain('nobody-home');
  });

  test('a claim that is missing', async () => {
    const policy = await policyOf('claim', { volumes: [BackupVolume.fromClaimName('data-nobody-0')] });
    const end = await attemptBackup(policy);
    await expectTold(end, policy, 'claim-not-found', 3);
    expect(end.error?.message).toContain('data-nobody-0');
  });

  test('a class that is missing', async () => {
    const policy = await policyOf('class', { className: 'no-such-class' });
    const end = await attemptBackup(policy);
    await expectTold(end, policy, 'class-not-found', 3);
    expect(end.error?.message).toContain('no-such-class');
  });

  test('rights that are missing', async () => {
    const policy = await policyOf('rights');
    for (const { metadata, rules } of await list(ROLE, namespace.name)) {
      if (!metadata?.name?.startsWith(policy.name)) continue;
      const left = rules.filter(({ resources }: { resources: string[] }) => !resources.includes('volumesnapshots'));
      await patch(ROLE, metadata.name, namespace.name, { rules: left });
    }
    const end = await attemptBackup(policy);
    await expectTold(end, policy, 'permission-missing', 3);
    expect(end.error?.message).toContain('volumesnapshots');
  });

  test('rule 3: a claim of another database: the Service leads to a server whose files lie elsewhere', async () => {
    const policy = await policyOf('elsewhere', { host: other.name });
    const end = await attemptBackup(policy);
    await expectTold(end, policy, 'volume-mismatch', 3);
    expect(end.error?.message).toContain(other.claims.data);
  });

  test('a second backup while one is at work', async () => {
    const policy = await policyOf('twice');
    await using gate = await openGate(namespace.name);
    const held = gate.hold(({ resource, name }) => resource === 'volumesnapshots' && name.startsWith('twice-'));
    const first = await startBackup(policy);
    const { allow } = await held;
    const second = await attemptBackup(policy);
    expect(second.pod.exitCode).toBe(6);
    expect(second.error, JSON.stringify(second.pod.log)).toMatchObject({ code: 'backup-in-progress' });
    expect(second.record).toBeUndefined();
    allow();
    const end = await attemptEnd(policy, first);
    expect(end.record).toMatchObject({ phase: 'succeeded' });
  });
});

describe('rule 3: a Service with two servers behind it', () => {
  test('what is backed up is the server whose claims are named, or nothing', async () => {
    const both = 'both';
    const spec = { selector: { tier: both }, ports: [{ port: 5432 }] };
    await apply([{ ...SERVICE, metadata: { name: both, namespace: namespace.name }, spec } as Anything]);
    for (const { pod } of [server, other]) {
      await patch(KINDS.pod, pod, namespace.name, { metadata: { labels: { tier: both } } });
    }
    const address: string = (await read(SERVICE, both, namespace.name))?.spec.clusterIP;
    await eventually('the Service answers', async () => await answers(address, 5432));
    const client = await server.connect();
    const { rows } = await client.query<{ id: string }>(
      'SELECT system_identifier::text AS id FROM pg_control_system()',
    );
    await client.end();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const policy = await policyOf(`both-${attempt}`, { host: both });
      const { record, error } = await attemptBackup(policy);
      if (record?.phase === 'succeeded') {
        expect(record.workload?.pod).toBe(server.pod);
        expect(record.serverIdentity?.systemIdentifier).toBe(rows[0]?.id);
      } else {
        // The one that answers is the other one, from the beginning or (by a second connection) at the end.
        expect(['volume-mismatch', 'server-changed']).toContain(error?.code);
      }
    }
  });
});

describe('in the middle of a backup', () => {
  /** Starts a backup and stops it at the door with its first snapshot. */
  async function untilFirstSnapshot(
    policy: TestPolicy,
    gate: Gate,
  ): Promise<{ job: TestJob; end: Promise<AttemptEnd>; allow(): void }> {
    const held = gate.hold(({ resource, operation, name }) => {
      return resource === 'volumesnapshots' && operation === 'CREATE' && name.startsWith(`${policy.database}-`);
    });
    const job = await startBackup(policy);
    const { allow } = await held;
    return { job, end: attemptEnd(policy, job), allow };
  }

  test('rule 3: a failover: the host leads to another server than the one whose claims are cut', async () => {
    const policy = await policyOf('failover');
    await using gate = await openGate(namespace.name);
    const { end, allow } = await untilFirstSnapshot(policy, gate);
    await patch(SERVICE, server.name, namespace.name, { spec: { selector: { app: other.name } } });
    try {
      await eventually('the Service leads to the other server', async () => {
        const address = await other.address();
        const slices = await list(ENDPOINT_SLICE, namespace.name, `kubernetes.io/service-name=${server.name}`);
        const led = slices.flatMap(({ endpoints }) => endpoints ?? []).flatMap(({ addresses }) => addresses);
        return led.length === 1 && led[0] === address;
      });
      allow();
      await expectTold(await end, policy, 'server-changed', 4);
    } finally {
      await patch(SERVICE, server.name, namespace.name, { spec: { selector: { app: server.name } } });
    }
  });

  test('rule 6: the server is gone: its session is lost, and there is no backup', async () => {
    const policy = await policyOf('gone', { className: slowClass(thisRun.registry) });
    await using gate = await openGate(namespace.name);
    const { end, allow } = await untilFirstSnapshot(policy, gate);
    allow();
    const before = await read(KINDS.pod, server.pod, namespace.name);
    await remove(KINDS.pod, server.pod, namespace.name, 0);
    await expectTold(await end, policy, 'session-lost', 4);
    await eventually('the server is back', async () => {
      const pod = await read(KINDS.pod, server.pod, namespace.name);
      return pod?.metadata?.uid !== before?.metadata?.uid && pod?.status?.containerStatuses?.[0]?.ready === true;
    });
  });

  test('rule 8: SIGTERM: the database is let go, and what was asked for is removed', async () => {
    const policy = await policyOf('stopped', { className: slowClass(thisRun.registry) });
    await using gate = await openGate(namespace.name);
    const { job, end, allow } = await untilFirstSnapshot(policy, gate);
    allow();
    (await runnerProcess(await nthPod(job), namespace.name)).terminate();
    await expectTold(await end, policy, 'interrupted', 4);
  });
});

/** Whether something accepts connections there. */
async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}

/** Which server answers is the Service's whim: so often that both do. */
const ATTEMPTS = 5;

const ROLE = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' } as const;
const SERVICE = { apiVersion: 'v1', kind: 'Service' } as const;
const ENDPOINT_SLICE = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' } as const;
