/** Backups whose snapshots are cut without the snapshot controller, whole and in every kind of trouble. */
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attemptBackup, backupEnd, succeeded, takeBackup } from './harness/backup';
import { KINDS, list, read } from './harness/cluster';
import { nthPod, podEnd, prune, startBackup } from './harness/job';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyPolicy, type PolicyOptions, type TestPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { recordsOf, snapshotsLeft } from './harness/records';
import { slowClass } from './harness/registry';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';
import { makeRetainClass, snapshotsOnStorage } from './kube/fixture';

let namespace: TestNamespace;
let server: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('direct');
  server = await startPostgres({ namespace: namespace.name, version: '17', separateWal: true });
});
afterAll(() => namespace[Symbol.asyncDispose]());

const policyOf = (name: string, options: PolicyOptions = {}): Promise<TestPolicy> =>
  applyPolicy(server, { name, database: name, separateWal: true, directCut: true, ...options });

/** The handles by which the storage has what contents of a database asked for, whether or not those are still there. */
async function asked(database: string): Promise<readonly string[]> {
  const contents = await list(KINDS.snapshotContent);
  return contents
    .filter(({ spec }) => spec.volumeSnapshotRef.namespace === namespace.name)
    .filter(({ metadata, spec }) => {
      return metadata?.name?.startsWith('stillpoint-cut-') && spec.volumeSnapshotRef.name.startsWith(`${database}-`);
    })
    .map(({ spec }) => `snap-${spec.volumeSnapshotRef.uid}`);
}

test('is a backup as any other: ordinary snapshots, and a restored copy at the recorded position', async () => {
  const policy = await policyOf('whole');
  const record = succeeded(await takeBackup(policy));
  expect(record).toMatchObject({ layout: 'backup-mode', proof: { holds: true } });
  for (const { snapshot, content, uid, directContent } of record.cuts) {
    const object = await read(KINDS.snapshot, snapshot, namespace.name);
    expect(object).toMatchObject({
      metadata: { uid },
      status: { readyToUse: true, boundVolumeSnapshotContentName: content },
    });
    expect(directContent).toMatch(/^stillpoint-cut-/);
  }
  const [data, log] = [uniqueName('copy-data'), uniqueName('copy-log')];
  const backup = `${namespace.name}/whole/${record.id}`;
  const restored = await stillpoint('restore', backup, '--claim', `data=${data}`, '--claim', `log=${log}`, '--start');
  expect(restored, `${restored.stdout}${restored.stderr}`).toMatchObject({ exitCode: 0 });
});

test('deleted, takes all of its contents along, and what the storage has', async () => {
  const policy = await policyOf('deleted');
  const first = succeeded(await takeBackup(policy));
  succeeded(await takeBackup(policy));
  const deleted = await stillpoint('delete', `${namespace.name}/deleted/${first.id}`, '--yes');
  expect(deleted, deleted.stderr).toMatchObject({ exitCode: 0 });
  const storage = await snapshotsOnStorage();
  for (const { handle } of first.cuts) expect(storage).not.toContain(handle);
  expect((await snapshotsLeft(namespace.name, 'deleted-')).filter((each) => each.includes(first.id))).toEqual([]);
});

describe('rule 7: a cut that comes after the budget', () => {
  test('is no backup, and a prune leaves nothing of it, not even on the storage', async () => {
    await using late = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: '15000' });
    const policy = await policyOf('late', { className: late.name, budget: Duration.seconds(5) });
    const { pod, record, error } = await attemptBackup(policy);
    expect(pod.exitCode).toBe(4);
    expect(error).toMatchObject({ code: 'budget-exceeded' });
    expect(record?.leftovers).toEqual([expect.stringMatching(/^volumesnapshotcontent\/stillpoint-cut-/)]);
    const handles = await asked('late');
    expect(handles).toHaveLength(1);
    await prune();
    await eventually('nothing is left of it', async () => (await snapshotsLeft(namespace.name, 'late-')).length === 0, {
      seconds: 60,
    });
    const storage = await snapshotsOnStorage();
    for (const handle of handles) expect(storage).not.toContain(handle);
    expect((await recordsOf(policy)).map(({ phase, leftovers }) => ({ phase, leftovers }))).toEqual([
      { phase: 'failed', leftovers: [] },
    ]);
  });
});

describe('rule 8, rule 9, rule 11: the runner is killed', () => {
  test("while the storage is cutting: the Job's next pod begins anew, and the first cut is nobody's backup", async () => {
    const policy = await policyOf('killed', { className: slowClass(thisRun.registry) });
    const job = await startBackup(policy);
    const pod = await nthPod(job);
    const { kill } = await runnerProcess(pod, namespace.name);
    const [first] = await eventually('the storage is asked', async () => {
      const handles = await asked('killed');
      return handles.length > 0 ? handles : undefined;
    });
    kill();
    expect((await podEnd(pod, namespace.name)).exitCode).toBe(137);
    for (const { phase } of await recordsOf(policy)) expect(phase).not.toBe('succeeded');
    const record = succeeded(await backupEnd(policy, job));
    expect(record.cuts.map(({ handle }) => handle)).not.toContain(first);
    await prune();
    await eventually('what the first pod asked for is gone', async () => {
      return !(await snapshotsOnStorage()).has(`${first}`);
    });
    // Of each volume its snapshot, the content by which it was asked for, and the one that stands for it.
    expect(await snapshotsLeft(namespace.name, 'killed-')).toHaveLength(6);
    const storage = await snapshotsOnStorage();
    for (const { handle } of record.cuts) expect(storage).toContain(handle);
  });
});
