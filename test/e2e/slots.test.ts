/** Many backups at once: they queue with nothing frozen, and none is held long by the snapshot controller. */
import { Registry } from 'stillpoint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { backupEnd, succeeded } from './harness/backup';
import { startBackup } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { thisRun } from './harness/this-run';

const AT_ONCE = 5;

let namespace: TestNamespace;
let server: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('slots');
  server = await startPostgres({ namespace: namespace.name, version: '17' });
});
afterAll(() => namespace[Symbol.asyncDispose]());

/** Takes backups by as many policies at once; whole ones, in the order of their freezes. */
async function atOnce(purpose: string, slots: number): Promise<readonly BackupRecord[]> {
  const registry = Registry.fromNamespace(thisRun.registry, slots);
  const policies: TestPolicy[] = [];
  for (let index = 0; index < AT_ONCE; index++) {
    const name = `${purpose}-${index}`;
    policies.push(await applyPolicy(server, { name, database: name, registry }));
  }
  const jobs = await Promise.all(policies.map(async (policy) => ({ policy, job: await startBackup(policy) })));
  const records = await Promise.all(jobs.map(async ({ policy, job }) => succeeded(await backupEnd(policy, job))));
  return records.toSorted((one, other) => at(one.times.frozen) - at(other.times.frozen));
}

const at = (time: string | undefined): number => Date.parse(time ?? '');
const windows = (records: readonly BackupRecord[]): readonly number[] =>
  records.map(({ freezeWindowMs }) => freezeWindowMs ?? Number.NaN);

test('five that start at once take turns: no two are held at a time, and each only for a moment', async () => {
  const records = await atOnce('turns', 1);
  for (const [index, { times }] of records.entries()) {
    const next = records[index + 1];
    if (next !== undefined) expect(at(times.thawed)).toBeLessThan(at(next.times.frozen));
  }
  expect(Math.max(...windows(records))).toBeLessThan(1_000);
});

test('without turns the controller holds some of them for long: that is what they are for', async () => {
  const records = await atOnce('crowd', 0);
  expect(Math.max(...windows(records))).toBeGreaterThan(1_000);
});
