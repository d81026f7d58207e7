/**
 * The guard of engines whose freeze outlives its session (safety rule 8): where it is, and who undoes what is held when it
 * is lost together with its runner. A runner that is lost alone: dead-man.test.ts.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type JobConfig, LABELS, MOUNTS } from '../../src/contract';
import { startLedger } from './engines/copy';
import { abandon } from './harness/abandon';
import { attemptEnd, backupEnd, succeeded, takeBackup } from './harness/backup';
import { KINDS, list, patch, read, remove } from './harness/cluster';
import { GUARDED, type HeldServer } from './harness/held';
import { nthGuard, nthPod, startBackup } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import type { TestPolicy } from './harness/policy';
import { recordsOf } from './harness/records';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';
import { makeRetainClass } from './kube/fixture';

const BUDGET = Duration.seconds(8);

// Engines side by side, the tests of each one after the other: they share its server.
describe.concurrent.each(GUARDED)('$title', (engine) => {
  let namespace: TestNamespace;
  /** One that is held lets others in: else nobody but its own end could free it. */
  let server: HeldServer;

  beforeAll(async () => {
    namespace = await makeNamespace(`guard-${engine.name}`);
    server = await engine.start(namespace.name);
  });
  afterAll(() => namespace[Symbol.asyncDispose]());

  /** A server that is held, with nobody left to undo it. */
  async function abandoned(name: string): Promise<TestPolicy> {
    const policy = await server.policy({ name, budget: BUDGET });
    await abandon(policy);
    expect(await server.held()).not.toEqual([]);
    return policy;
  }

  async function changeConfig(policy: TestPolicy, change: (config: JobConfig) => JobConfig): Promise<void> {
    const text = stringify(change(await configOf(policy)));
    await patch(KINDS.configMap, policy.name, namespace.name, { data: { [MOUNTS.configFile]: text } });
  }

  async function configOf(policy: TestPolicy): Promise<JobConfig> {
    const object = await read(KINDS.configMap, policy.name, namespace.name);
    return parse(object?.data[MOUNTS.configFile]) as JobConfig;
  }

  /** A policy's job config for a process outside of the cluster, with its credentials. */
  async function configForThisMachine(policy: TestPolicy): Promise<AsyncDisposable & { readonly path: string }> {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-own-'));
    const config = await configOf(policy);
    const { data = {} } = (await read(KINDS.secret, `${engine.name}-backup`, namespace.name)) ?? {};
    for (const key of ['username', 'password']) await writeFile(join(folder, key), Buffer.from(data[key], 'base64'));
    const connection = {
      ...config.spec.connection,
      host: String((await read(KINDS.pod, `${engine.name}-0`, namespace.name))?.status?.podIP),
      usernameFile: join(folder, 'username'),
      passwordFile: join(folder, 'password'),
    };
    const path = join(folder, 'job.yaml');
    await writeFile(path, stringify({ ...config, spec: { ...config.spec, connection } }));
    return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  }

  /** Nothing was frozen or asked for: the server goes on as it was. */
  async function expectUntouched(policy: TestPolicy): Promise<void> {
    expect(await server.held()).toEqual([]);
    const selector = `${LABELS.database}=${policy.database}`;
    expect(await list(KINDS.snapshot, namespace.name, selector)).toEqual([]);
    const [record] = await recordsOf(policy);
    expect(record).toMatchObject({ phase: 'failed', error: { code: 'guard-missing' }, cuts: [] });
    expect(record?.times.frozen).toBeUndefined();
  }

  describe('rule 8', { concurrent: false }, () => {
    test('runner and guard are on different nodes', async () => {
      const policy = await server.policy({ name: 'apart', budget: BUDGET });
      const job = await startBackup(policy);
      const pods = [await nthPod(job), await nthGuard(job)];
      const nodes = await Promise.all(
        pods.map(async (pod) => (await read(KINDS.pod, pod, namespace.name))?.spec.nodeName),
      );
      expect(new Set(nodes).size).toBe(2);
      // The tests after it look at what the server holds.
      succeeded(await backupEnd(policy, job));
    });

    test('a backup that a person takes in a process of their own has no guard, and is refused', async () => {
      const policy = await server.policy({ name: 'own', budget: BUDGET });
      await using file = await configForThisMachine(policy);
      const answer = await stillpoint('backup', '--config', file.path);
      expect(answer.exitCode, answer.stderr).toBe(3);
      expect(answer.stderr).toMatch(/\(guard-missing\)\n +take it by a Job of its policy/);
      await expectUntouched(policy);
    });

    test('a backup whose guard does not come is refused', async () => {
      const policy = await server.policy({ name: 'alone', budget: BUDGET });
      await changeConfig(policy, (config) => ({ ...config, spec: { ...config.spec, guardTimeoutSeconds: 5 } }));
      const { pod, error } = await attemptEnd(policy, await startBackup(policy, { parallelism: 1 }));
      expect(pod.exitCode).toBe(3);
      expect(error).toMatchObject({ code: 'guard-missing', message: expect.stringContaining('5 s') });
      await expectUntouched(policy);
    });

    describe('a direct cut', () => {
      test('is guarded as any other', async () => {
        const policy = await server.policy({ name: 'direct', budget: BUDGET, directCut: true });
        const record = succeeded(await takeBackup(policy));
        expect(record).toMatchObject({ proof: { holds: true }, heldUndone: { by: 'runner' } });
        expect(record.held).not.toEqual([]);
        for (const { directContent } of record.cuts) expect(directContent).toMatch(/^stillpoint-cut-/);
        expect(await server.held()).toEqual([]);
      });

      test('whose runner is killed while the storage cuts lets writes go on in time, and is no backup', async () => {
        await using slow = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: '15000' });
        const policy = await server.policy({
          name: 'direct-lost',
          budget: BUDGET,
          directCut: true,
          className: slow.name,
        });
        await using ledger = await startLedger(server, { everyMs: 20 });
        await ledger.more(20);
        const from = Date.now();
        const job = await startBackup(policy);
        const runner = await runnerProcess(await nthPod(job), namespace.name);
        await eventually('the storage is asked', async () =>
          (await list(KINDS.snapshotContent)).some(
            ({ metadata, spec }) =>
              metadata?.name?.startsWith('stillpoint-cut-') &&
              spec.volumeSnapshotRef.namespace === namespace.name &&
              spec.volumeSnapshotRef.name.startsWith('direct-lost-'),
          ),
        );
        expect(await server.held()).not.toEqual([]);
        runner.kill();
        await ledger.more(20);
        expect(ledger.longestStallMs(from)).toBeLessThan(BUDGET.toMilliseconds() + 5000);
        await eventually('nothing is held', async () => (await server.held()).length === 0);
        await remove(KINDS.job, job.name, job.namespace);
        for (const { phase } of await recordsOf(policy)) expect(phase).not.toBe('succeeded');
      });
    });

    test('the runner and its guard are killed, and the next run undoes what they held', async () => {
      const policy = await abandoned('next');
      const record = succeeded(await takeBackup(policy));
      expect(await server.held()).toEqual([]);
      const [first, second] = await recordsOf(policy);
      expect(first).toMatchObject({ phase: 'failed', error: { code: 'runner-lost' }, heldUndone: { by: 'later-run' } });
      expect(second).toMatchObject({ id: record.id, heldUndone: { by: 'runner' } });
    });

    test('the runner and its guard are killed, and a run of another policy of the server undoes what they held', async () => {
      const left = await abandoned('left');
      succeeded(await takeBackup(await server.policy({ name: 'another', budget: BUDGET })));
      expect(await server.held()).toEqual([]);
      const [record] = await recordsOf(left);
      expect(record).toMatchObject({ heldUndone: { by: 'later-run' } });
      expect(record?.heldUndone?.done).not.toEqual([]);
    });

    test('the runner and its guard are killed, and heal undoes it at once, and has nothing to do a second time', async () => {
      const policy = await abandoned('heal');
      const healed = await stillpoint('heal', policy.name, '-n', namespace.name);
      expect(healed, healed.stderr).toMatchObject({ exitCode: 0 });
      expect(await server.held(), healed.stdout).toEqual([]);
      const [record] = await recordsOf(policy);
      expect(record).toMatchObject({ heldUndone: { by: 'heal' } });
      expect(record?.heldUndone?.done).not.toEqual([]);
      for (const done of record?.heldUndone?.done ?? []) expect(healed.stdout).toContain(done);
      const again = await stillpoint('heal', policy.name, '-n', namespace.name);
      expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('nothing is held') });
    });
  });
});
