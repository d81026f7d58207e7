/** Dumps that fail, at each step: what is left of them, and who goes on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { during, PostgresDumps } from './dump/postgres';
import { KINDS, remove } from './harness/cluster';
import type { DumpScene } from './harness/dump-scene';
import { jobEnd, nthPod, podsOf, startBackup } from './harness/job';
import type { TestPostgres } from './harness/postgres';
import { runnerProcess } from './harness/runner-process';
import type { TestS3 } from './harness/s3';
import { eventually } from './harness/wait';

let dumps: PostgresDumps;
let scene: DumpScene;
let namespace: string;
let server: TestPostgres;
let s3: TestS3;

beforeAll(async () => {
  dumps = await PostgresDumps.start('dump-failures');
  ({ scene, server } = dumps);
  ({ namespace, s3 } = scene);
});
afterAll(() => dumps?.[Symbol.asyncDispose]());

describe('a dump that fails leaves a failed record, and nothing in the bucket', () => {
  test('when the tool is killed in the middle', async () => {
    const own = await dumps.policy('killed-dump');
    // A table that nobody may read yet: pg_dump waits for it, so that it is in the middle.
    await during(server, 'orders', async (blocker) => {
      await blocker.query('BEGIN');
      await blocker.query('LOCK TABLE lines IN ACCESS EXCLUSIVE MODE');
      const { record, pod } = await scene.attempt(own, async (name) => {
        await eventually('pg_dump waits', async () => (await waiting()) > 0);
        await killTool(name);
      });
      await blocker.query('ROLLBACK');
      expect(pod.exitCode).toBe(4);
      expect(record).toMatchObject({ phase: 'failed', error: { code: 'tool-failed' } });
      expect(record?.objects).toBeUndefined();
    });
    expect((await s3.keys()).filter((key) => key.includes('killed-dump'))).toEqual([]);
    expect(await s3.uploads()).toBe(0);
  });

  test('when the runner is killed, or its pod deleted, and the store dies in the next try: that goes on', async () => {
    const [lost, gone] = [await dumps.policy('lost-dump'), await dumps.policy('gone-dump')];
    const jobs = await during(server, 'orders', async (blocker) => {
      await blocker.query('BEGIN');
      await blocker.query('LOCK TABLE lines IN ACCESS EXCLUSIVE MODE');
      const [killed, deleted] = [await startBackup(lost), await startBackup(gone)];
      const pods = [await nthPod(killed), await nthPod(deleted)] as const;
      await eventually('both wait', async () => (await waiting()) === 2, { seconds: 60 });
      (await runnerProcess(pods[0], namespace)).kill();
      await remove(KINDS.pod, pods[1], namespace);
      await eventually('what the deleted pod had begun has failed', async () => {
        const [record] = await scene.recordsOf(gone);
        return record?.phase === 'failed' && record.error?.code === 'interrupted';
      });
      // Whose the folder is may be there: until it was removed, or again, of the next pod.
      const left = (await s3.keys()).filter((key) => key.includes('gone-dump'));
      expect(left.filter((key) => !key.endsWith('/owner.yaml'))).toEqual([]);
      for (const [job, first] of [
        [killed, pods[0]],
        [deleted, pods[1]],
      ] as const) {
        const others = async (): Promise<boolean> =>
          (await podsOf(job)).some(({ metadata }) => metadata?.name !== first);
        await eventually('the next pod is there', others, { seconds: 60 });
      }
      // The one that was killed may hold its Lease for half a minute, and on a busy machine a pod takes as long to start.
      await eventually('both wait again', async () => (await waiting()) === 2, { seconds: 150 });
      const isBack = await s3.stop();
      await blocker.query('ROLLBACK');
      await isBack();
      return [killed, deleted];
    });
    for (const [own, job] of [
      [lost, jobs[0]],
      [gone, jobs[1]],
    ] as const) {
      if (job === undefined) throw new Error('there is no Job');
      expect(await jobEnd(job)).toBe('Complete');
      expect(await podsOf(job)).toHaveLength(own === lost ? 2 : 1);
      const [record, ...others] = await scene.recordsOf(own);
      expect(others).toEqual([]);
      expect(record).toMatchObject({ phase: 'succeeded', owner: { jobUid: job.uid } });
      expect((await s3.keys()).filter((key) => key.includes(own.database))).toHaveLength(3);
    }
    expect(await s3.uploads()).toBe(0);
  });

  test('with credentials that the store, or the server, does not accept: before anything is touched', async () => {
    await s3.secret('wrong-store', namespace, 'the-wrong-secret');
    const atStore = await scene.attempt(await dumps.policy('refused-dump', {}, { store: 'wrong-store' }));
    expect(atStore.pod.exitCode).toBe(3);
    expect(atStore.record).toMatchObject({ phase: 'failed', error: { code: 'store-credentials-refused' } });
    await scene.login('orders-db-wrong', 'postgres', 'not the password');
    const atServer = await scene.attempt(await dumps.policy('denied-dump', {}, { login: 'orders-db-wrong' }));
    expect(atServer.pod.exitCode).toBe(3);
    expect(atServer.record).toMatchObject({ phase: 'failed', error: { code: 'authentication-failed' } });
    const logs = JSON.stringify([atStore.pod.log, atServer.pod.log, atStore.record, atServer.record]);
    expect(logs).not.toMatch(/the-wrong-secret|not the password/);
  });
});

/** How many sessions of pg_dump wait for a lock. */
async function waiting(): Promise<number> {
  return await during(server, 'postgres', async (on) => {
    const sql =
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name <> '' AND wait_event_type = 'Lock'";
    return (await on.query<{ n: number }>(sql)).rows[0]?.n ?? 0;
  });
}

/** Ends the engine's tool in a runner's pod, as the kernel would. */
async function killTool(pod: string): Promise<void> {
  const { pid } = await runnerProcess(pod, namespace);
  for (const child of await childrenOf(pid)) process.kill(child, 'SIGKILL');
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const { readFile, readdir } = await import('node:fs/promises');
  const tasks = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8')));
  return lists
    .flatMap((list) => list.trim().split(' '))
    .filter((each) => each !== '')
    .map(Number);
}
