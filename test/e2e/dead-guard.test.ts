/**
 * The guard of engines whose freeze outlives its session (safety rule 8): where it is, and who undoes what is held when it
 * is lost together with its runner. A runner that is lost alone: dead-man.test.ts.
 */
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { succeeded, takeBackup } from './harness/backup';
import { KINDS, read, remove } from './harness/cluster';
import { openGate } from './harness/gate';
import { GUARDED, type HeldServer } from './harness/held';
import { nthGuard, nthPod, podsOf, startBackup } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import type { TestPolicy } from './harness/policy';
import { recordsOf } from './harness/records';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

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
    await using gate = await openGate(namespace.name);
    const held = gate.hold(({ resource, operation }) => resource === 'volumesnapshots' && operation === 'CREATE');
    const job = await startBackup(policy);
    const { refuse } = await held;
    const runner = await runnerProcess(await nthPod(job), namespace.name);
    const guard = await runnerProcess(await nthGuard(job), namespace.name);
    guard.kill();
    runner.kill();
    await remove(KINDS.job, job.name, job.namespace);
    await eventually('the Job is gone with its pods', async () => (await podsOf(job)).length === 0, { seconds: 120 });
    refuse();
    expect(await server.held()).not.toEqual([]);
    return policy;
  }

  describe('rule 8', { concurrent: false }, () => {
    test('runner and guard are on different nodes', async () => {
      const job = await startBackup(await server.policy({ name: 'apart', budget: BUDGET }));
      const pods = [await nthPod(job), await nthGuard(job)];
      const nodes = await Promise.all(
        pods.map(async (pod) => (await read(KINDS.pod, pod, namespace.name))?.spec.nodeName),
      );
      expect(new Set(nodes).size).toBe(2);
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
      expect(await server.held()).toEqual([]);
      const [record] = await recordsOf(policy);
      expect(record).toMatchObject({ heldUndone: { by: 'heal' } });
      expect(record?.heldUndone?.done).not.toEqual([]);
      for (const done of record?.heldUndone?.done ?? []) expect(healed.stdout).toContain(done);
      const again = await stillpoint('heal', policy.name, '-n', namespace.name);
      expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('nothing is held') });
    });
  });
});
