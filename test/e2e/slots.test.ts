/** Many backups at once: they queue with nothing frozen. How long each is held then is the bench's to measure. */
import { Duration } from 'cdk8s';
import { Registry } from 'stillpoint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { backupEnd, succeeded } from './harness/backup';
import { startBackup } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { thisRun } from './harness/this-run';
import { makeRetainClass } from './kube/fixture';

const AT_ONCE = 5;

/** Each cut takes so long: the last one waits for those before it at least. */
const CUT_MS = 3_000;

/** Shorter than the last one waits: the server ends a session that is silent for longer than its budget, but not in the queue. */
const BUDGET = Duration.seconds(8);

/** Longer than a session of the server is silent: the budget and its grace. */
const WAITED_MS = 10_000;

let namespace: TestNamespace;
let server: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('slots');
  server = await startPostgres({ namespace: namespace.name, version: '17' });
});
afterAll(() => namespace[Symbol.asyncDispose]());

/** Takes backups by as many policies at once; whole ones, in the order of their freezes. */
async function atOnce(purpose: string): Promise<readonly BackupRecord[]> {
  const registry = Registry.fromNamespace(thisRun.registry, 1);
  await using slow = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: `${CUT_MS}` });
  const policies: TestPolicy[] = [];
  for (let index = 0; index < AT_ONCE; index++) {
    const name = `${purpose}-${index}`;
    policies.push(await applyPolicy(server, { name, database: name, className: slow.name, registry, budget: BUDGET }));
  }
  const jobs = await Promise.all(policies.map(async (policy) => ({ policy, job: await startBackup(policy) })));
  const records = await Promise.all(jobs.map(async ({ policy, job }) => succeeded(await backupEnd(policy, job))));
  return records.toSorted((one, other) => at(one.times.frozen) - at(other.times.frozen));
}

const at = (time: string | undefined): number => Date.parse(time ?? '');

test('five that start at once take turns: no two are held at a time', async () => {
  const records = await atOnce('turns');
  for (const [index, { times }] of records.entries()) {
    const next = records[index + 1];
    if (next !== undefined) expect(at(times.thawed)).toBeLessThan(at(next.times.frozen));
  }
  const last = records.at(-1)?.times;
  expect(
    at(last?.frozen) - at(last?.started),
    'the last one waits for longer than its budget and its grace',
  ).toBeGreaterThan(WAITED_MS);
});
