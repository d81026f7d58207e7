/**
 * Safety rules of which a backup that succeeds shows nothing: what the server itself sees while one is at work, and what
 * it does when the runner is no longer there. The others are shown where what they are about is tested.
 */
import { Duration } from 'cdk8s';
import type pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { attemptBackup, backupEnd, succeeded, takeBackup } from './harness/backup';
import { KINDS, list, read, remove } from './harness/cluster';
import { type Gate, type HeldWrite, openGate } from './harness/gate';
import { nthPod, startBackup, type TestJob } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy, type PolicyOptions, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { recordsOf } from './harness/records';
import { type RunnerProcess, runnerProcess, unplug } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';
import { makeRetainClass } from './kube/fixture';

let namespace: TestNamespace;
let server: TestPostgres;
let superuser: pg.Client;

beforeAll(async () => {
  namespace = await makeNamespace('rules');
  server = await startPostgres({ namespace: namespace.name, version: '17', separateWal: true });
  superuser = await server.connect();
});
afterAll(async () => {
  await superuser.end();
  await namespace[Symbol.asyncDispose]();
});

const policyOf = (name: string, options: PolicyOptions = {}): Promise<TestPolicy> =>
  applyPolicy(server, { name, database: name, separateWal: true, ...options });

/** What the server has of the backup's user: its sessions, and which of them hold log for a backup. */
interface Held {
  readonly sessions: readonly string[];
  readonly holders: readonly string[];
}

async function held(): Promise<Held> {
  const sessions = await superuser.query("SELECT pid::text FROM pg_stat_activity WHERE usename = 'stillpoint'");
  const holders = await superuser.query('SELECT active_pid::text AS pid FROM pg_replication_slots WHERE temporary');
  const pids = ({ rows }: pg.QueryResult<{ pid: string }>): string[] => rows.map(({ pid }) => pid);
  return { sessions: pids(sessions), holders: pids(holders) };
}

const isLetGo = async (): Promise<boolean> => {
  const { sessions, holders } = await held();
  return sessions.length + holders.length === 0;
};

/** Stops a backup at the door with the snapshot of a volume. */
function heldSnapshot(gate: Gate, { database }: TestPolicy, volume: string): Promise<HeldWrite> {
  return gate.hold(({ resource, operation, name }) => {
    return resource === 'volumesnapshots' && operation === 'CREATE' && name.startsWith(`${database}-${volume}-`);
  });
}

test('rule 1: one session holds the log from before the first cut until after the last', async () => {
  const policy = await policyOf('one');
  await using gate = await openGate(namespace.name);
  const [data, log] = [heldSnapshot(gate, policy, 'data'), heldSnapshot(gate, policy, 'log')];
  const job = await startBackup(policy);
  const end = backupEnd(policy, job);
  const first = await data;
  const before = await held();
  first.allow();
  const last = await log;
  const after = await held();
  last.allow();
  const { proof } = succeeded(await end);
  expect(before.sessions).toHaveLength(1);
  expect(before.holders).toEqual(before.sessions);
  expect(after).toEqual(before);
  expect([proof?.before.facts.pid, proof?.after.facts.pid]).toEqual([before.sessions[0], before.sessions[0]]);
});

test('rule 4: a lock that does not come is given up after seconds, and nobody queues behind it', async () => {
  const policy = await policyOf('queued');
  const waiting = async (): Promise<boolean> => {
    const { rows } = await superuser.query(
      "SELECT FROM pg_stat_activity WHERE usename = 'stillpoint' AND wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  };
  const holder = await server.connect();
  onTestFinished(() => holder.end());
  await holder.query('BEGIN; LOCK TABLE pg_catalog.pg_tablespace IN ACCESS EXCLUSIVE MODE');
  const end = attemptBackup(policy);
  await eventually('the backup waits for the lock', waiting, { seconds: 120 });
  await eventually('it waits no longer', async () => !(await waiting()), { seconds: 10 });
  await holder.query('ROLLBACK');
  expect((await end).error).toMatchObject({ code: 'freeze-timeout' });
});

test('rule 5: no snapshot is asked for before backup mode has begun', async () => {
  const policy = await policyOf('asked');
  await using gate = await openGate(namespace.name);
  const data = heldSnapshot(gate, policy, 'data');
  const job = await startBackup(policy);
  const end = backupEnd(policy, job);
  const first = await data;
  // Backup mode begins with a checkpoint: its start is where that says that recovery has to start.
  const { rows } = await superuser.query('SELECT redo_lsn::text AS start FROM pg_control_checkpoint()');
  first.allow();
  expect(succeeded(await end).position?.startLsn).toBe(rows[0]?.start);
});

test('rule 5: the log is held until the storage has cut every volume', async () => {
  await using slow = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: '4000' });
  const policy = await policyOf('seen', { className: slow.name });
  const job = await startBackup(policy);
  const end = backupEnd(policy, job);
  await eventually('the log is held', async () => (await held()).holders.length > 0, { seconds: 120 });
  await eventually('the log is let go', async () => (await held()).holders.length === 0, { seconds: 60 });
  const contents = (await list(KINDS.snapshotContent)).filter(({ spec }) => {
    return spec.volumeSnapshotRef.namespace === namespace.name && spec.volumeSnapshotRef.name.startsWith('seen-');
  });
  expect(contents.map(({ status }) => status?.creationTime)).toEqual([expect.anything(), expect.anything()]);
  succeeded(await end);
});

/** Stops a backup in the middle, does something to its runner, and waits until the server has let go by itself. */
async function losesRunner(
  policy: TestPolicy,
  lose: (runner: RunnerProcess) => void | Promise<void>,
  seconds: number,
): Promise<void> {
  await using gate = await openGate(namespace.name);
  const data = heldSnapshot(gate, policy, 'data');
  const job: TestJob = await startBackup(policy);
  const runner = await runnerProcess(await nthPod(job), namespace.name);
  const write = await data;
  expect((await held()).holders).toHaveLength(1);
  await lose(runner);
  try {
    await eventually('the server has ended the session', isLetGo, { seconds });
  } finally {
    write.refuse();
    runner.kill();
    await remove(KINDS.job, job.name, namespace.name);
  }
  for (const { phase } of await recordsOf(policy)) expect(phase).not.toBe('succeeded');
}

test('rule 8: a runner that hangs: the server ends its session when the budget is over', async () => {
  const policy = await policyOf('hangs', { budget: Duration.seconds(5) });
  await losesRunner(policy, ({ pid }) => void process.kill(pid, 'SIGSTOP'), 10);
});

test('rule 8: a runner without a network: the server finds out long before the budget is over', async () => {
  const policy = await policyOf('unplugged', { budget: Duration.seconds(60) });
  await losesRunner(policy, unplug, 25);
});

test('rule 10: the last good backup is not deleted, one before it is', async () => {
  const policy = await policyOf('last');
  const first = succeeded(await takeBackup(policy));
  const path = `${namespace.name}/last/${first.id}`;
  const refused = await stillpoint('delete', path, '--yes');
  expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/last good one.*\(delete-refused\)/) });
  for (const { snapshot } of first.cuts) expect(await read(KINDS.snapshot, snapshot, namespace.name)).toBeDefined();
  const second = succeeded(await takeBackup(policy));
  expect(await stillpoint('delete', path, '--yes')).toMatchObject({ exitCode: 0 });
  expect((await recordsOf(policy)).map(({ id }) => id)).toEqual([second.id]);
});
