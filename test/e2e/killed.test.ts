/**
 * Safety rules 8, 9 and 11: the runner is killed with SIGKILL at each thing that it writes. No half-done backup is ever
 * restorable, the server does not stay in backup mode, and the Job's next pod finishes or undoes what the first began.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LABELS, leaseName } from '../../src/contract';
import { backupEnd, succeeded } from './harness/backup';
import { type Gate, openGate, type Write } from './harness/gate';
import { nthPod, podEnd, prune, startBackup } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { recordsOf, snapshotsLeft } from './harness/records';
import { slowClass } from './harness/registry';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';

/** A point in a backup, by the write that comes next: all before it is done, and it is not. */
interface Point {
  readonly before: string;
  readonly write: (write: Write, database: string) => boolean;
  /** Whether the backup was whole when the runner was killed: the next pod takes it over instead of beginning anew. */
  readonly whole?: boolean;
}

const recordIn =
  (phase: string): Point['write'] =>
  ({ resource, name, object }, database) =>
    resource === 'configmaps' && name.includes(`.${database}.`) && object?.metadata?.labels?.[LABELS.phase] === phase;

const snapshotOf =
  (volume: string): Point['write'] =>
  ({ resource, operation, name }, database) =>
    resource === 'volumesnapshots' && operation === 'CREATE' && name.startsWith(`${database}-${volume}-`);

const lease =
  (operation: Write['operation']): Point['write'] =>
  (write, database) =>
    write.resource === 'leases' && write.operation === operation && write.name === leaseName(database);

const POINTS: readonly Point[] = [
  { before: 'the lease is taken', write: lease('CREATE') },
  { before: 'there is a record', write: recordIn('pending') },
  { before: 'the record says freezing', write: recordIn('freezing') },
  { before: 'the data is asked for, in backup mode', write: snapshotOf('data') },
  { before: 'the log is asked for, after the stop', write: snapshotOf('log') },
  { before: 'the record says cut', write: recordIn('cut') },
  { before: 'the record says succeeded', write: recordIn('succeeded'), whole: true },
];

let namespace: TestNamespace;
let server: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('killed');
  server = await startPostgres({ namespace: namespace.name, version: '17', separateWal: true });
});
afterAll(() => namespace[Symbol.asyncDispose]());

describe('rule 8, rule 9, rule 11: the runner is killed', () => {
  test.each(POINTS.map((point, index) => ({ ...point, database: `killed-${index}` })))(
    'before $before',
    async ({ write, database, whole = false }) => {
      const policy = await applyPolicy(server, { name: database, database, separateWal: true });
      await using gate = await openGate(namespace.name);
      const job = await killAt(policy, gate, (each) => write(each, database));
      await expectNothingHalfDone(policy);
      const record = succeeded(await backupEnd(policy, job));
      expect(record.owner.jobUid).toBe(job.uid);
      expect(await recordsOf(policy)).toHaveLength(1);
      expect(record.warnings?.some((warning) => warning.includes('an earlier pod')) ?? false).toBe(
        !whole && !['killed-0', 'killed-1'].includes(database),
      );
      await expectOnlyThisLeft(database);
    },
  );

  test('while the storage is cutting', async () => {
    const database = 'killed-cutting';
    const className = slowClass(thisRun.registry);
    const policy = await applyPolicy(server, { name: database, database, separateWal: true, className });
    const job = await startBackup(policy);
    const pod = await nthPod(job);
    const { kill } = await runnerProcess(pod, namespace.name);
    await eventually('a snapshot is asked for', async () => (await snapshotsLeft(namespace.name, database)).length > 0);
    kill();
    expect((await podEnd(pod, namespace.name)).exitCode).toBe(137);
    await expectNothingHalfDone(policy);
    succeeded(await backupEnd(policy, job));
    await expectOnlyThisLeft(database);
  });
});

/** Two volumes, each with a snapshot and its content: the pruner removes what is left of the first attempt, and no more. */
async function expectOnlyThisLeft(database: string): Promise<void> {
  await prune();
  await eventually('nothing is left of the first attempt', async () => {
    return (await snapshotsLeft(namespace.name, `${database}-`)).length <= 4;
  });
  expect([...(await snapshotsLeft(namespace.name, `${database}-`))].sort()).toEqual([
    expect.stringMatching(/^VolumeSnapshot \S+-data-\d+$/),
    expect.stringMatching(/^VolumeSnapshot \S+-log-\d+$/),
    expect.stringMatching(/^VolumeSnapshotContent of \S+-data-\d+$/),
    expect.stringMatching(/^VolumeSnapshotContent of \S+-log-\d+$/),
  ]);
}

/** Starts a backup, and kills its runner while the given write is held at the door; the write is never done. */
async function killAt(
  policy: TestPolicy,
  gate: Gate,
  write: (write: Write) => boolean,
): ReturnType<typeof startBackup> {
  const held = gate.hold(write);
  const job = await startBackup(policy);
  const { refuse } = await held;
  const pod = await nthPod(job);
  (await runnerProcess(pod, namespace.name)).kill();
  expect((await podEnd(pod, namespace.name)).exitCode).toBe(137);
  refuse();
  return job;
}

/** What has to be true as soon as the runner is dead, and before anybody has tidied up. */
async function expectNothingHalfDone(policy: TestPolicy): Promise<void> {
  for (const { phase } of await recordsOf(policy)) expect(phase).not.toBe('succeeded');
  const restored = await stillpoint('restore', `${namespace.name}/${policy.database}/latest`, '--claim', 'never');
  expect(restored.exitCode).toBe(5);
  const client = await server.connect();
  await eventually(
    'the server has ended the session, and with it backup mode',
    async () => {
      const { rows } = await client.query<{ held: string }>(
        `SELECT (SELECT count(*) FROM pg_stat_activity WHERE usename = 'stillpoint')
              + (SELECT count(*) FROM pg_replication_slots) AS held`,
      );
      return rows[0]?.held === '0';
    },
    { seconds: 10 },
  );
  await client.end();
}
