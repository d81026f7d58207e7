/** Storage that is slow, late or broken: the database is let go in time, and a late cut never becomes a backup. */
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { followDriverLog } from './harness/disk';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy, type PolicyOptions, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { snapshotsLeft } from './harness/records';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

/** One volume, which needs no freeze, and two, for which the server is in backup mode meanwhile. */
describe.each([
  { layout: 'atomic', separateWal: false },
  { layout: 'backup-mode', separateWal: true },
])('in the layout $layout', ({ separateWal }) => {
  let namespace: TestNamespace;
  let server: TestPostgres;

  beforeAll(async () => {
    namespace = await makeNamespace('storage');
    server = await startPostgres({ namespace: namespace.name, version: '17', separateWal });
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  const policyOf = (name: string, options: PolicyOptions): Promise<TestPolicy> =>
    applyPolicy(server, { name, database: name, separateWal, ...options });

  /** How many sessions of the backup's user the server has: none, or the database is still held. */
  async function sessionsLeft(): Promise<number> {
    const client = await server.connect();
    const { rows } = await client.query<{ count: string }>(
      "SELECT count(*) FROM pg_stat_activity WHERE usename = 'stillpoint'",
    );
    await client.end();
    return Number(rows[0]?.count);
  }

  test('rule 5: a snapshot that is ready late: the database is let go when it is cut, not when it is ready', async () => {
    const record = succeeded(await takeBackup(await policyOf('slow', { className: 'disk-slow' })));
    const at = (time: string | undefined): number => Date.parse(time ?? '');
    expect(record.freezeWindowMs).toBeLessThan(15_000);
    expect(at(record.times.ready) - at(record.times.thawed)).toBeGreaterThan(10_000);
    expect(record.cuts.map(({ seenBy }) => seenBy)).not.toContain('readyToUse');
  });

  test('rule 7: a cut that comes after the budget is no backup, and leaves nothing behind', async () => {
    const log = await followDriverLog();
    const policy = await policyOf('late', { className: 'disk-late', budget: Duration.seconds(5) });
    const { pod, record, error, events } = await attemptBackup(policy);
    expect(pod.exitCode).toBe(4);
    expect(error).toMatchObject({ code: 'budget-exceeded' });
    expect(error?.message).toContain('5 s');
    expect(record).toMatchObject({ phase: 'failed', error: { code: 'budget-exceeded' } });
    expect(events.at(-1)).toMatch(/^Warning FailedSnapshot: .*\(budget-exceeded\)$/);
    expect(await sessionsLeft()).toBe(0);
    // The storage goes on cutting what was asked for: only then is it known whether anything stays.
    await eventually('the storage has cut after all', async () => (await log.durations('CreateSnapshot')).length > 0);
    await eventually('nothing is left of it', async () => (await snapshotsLeft(namespace.name, 'late-')).length === 0, {
      seconds: 90,
    });
    const restored = await stillpoint('restore', `${namespace.name}/late/latest`, '--claim', 'copy');
    expect(restored.exitCode).toBe(5);
  });

  test('rule 7: storage that never cuts: the database is let go within the budget, and nothing is left', async () => {
    const policy = await policyOf('broken', { className: 'disk-broken', budget: Duration.seconds(8) });
    const { pod, record, error } = await attemptBackup(policy);
    expect(pod.exitCode).toBe(4);
    expect(error?.message).toContain('the array is on fire');
    expect(record).toMatchObject({ phase: 'failed' });
    expect(await sessionsLeft()).toBe(0);
    await eventually(
      'nothing is left of it',
      async () => (await snapshotsLeft(namespace.name, 'broken-')).length === 0,
      { seconds: 60 },
    );
  });
});
