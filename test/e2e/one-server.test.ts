/**
 * Two policies of one server, which know nothing of each other's Lease: one waits for the other with nothing held, so that
 * neither undoes what the other holds, and no client waits for both (safety rule 2: no other backup at work).
 */
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLedger } from './engines/copy';
import { backupEnd, succeeded } from './harness/backup';
import { backupByHand } from './harness/by-hand';
import { type Gate, openGate } from './harness/gate';
import { HELD, type HeldServer } from './harness/held';
import { nthPod, startBackup } from './harness/job';
import { followLog } from './harness/logs';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { recordsOf } from './harness/records';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';
import { makeRetainClass } from './kube/fixture';

/** One whose lock goes together with another's, and one that ends another's pause with its own. */
const ENGINES = HELD.filter(({ name }) => name === 'mysql' || name === 'redis');

/** A session ends a moment after its client has. */
async function isLetGo(server: HeldServer): Promise<void> {
  await eventually('nothing is held', async () => (await server.held()).length === 0);
}

// Engines side by side.
describe.concurrent.each(ENGINES)('$title', (engine) => {
  let namespace: TestNamespace;
  let server: HeldServer;
  let gate: Gate;

  beforeAll(async () => {
    namespace = await makeNamespace(`one-${engine.name}`);
    gate = await openGate(namespace.name);
    server = await engine.start(namespace.name);
  });
  afterAll(async () => {
    await gate[Symbol.asyncDispose]();
    await namespace[Symbol.asyncDispose]();
  });

  test('rule 2: a backup and a rehearsal wait while another policy holds the server, and all succeed', async () => {
    // Held at the door and then by its storage, for as long as a busy machine takes to start the second one's pod.
    await using slow = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: '15000' });
    const budget = Duration.seconds(180);
    const first = await server.policy({ name: 'first', budget, className: slow.name });
    const second = await server.policy({ name: 'second' });
    const third = await server.policy({ name: 'third' });
    await using ledger = await startLedger(server, { everyMs: 20 });
    await ledger.more(20);
    const asks = gate.hold(
      ({ resource, operation, name }) =>
        resource === 'volumesnapshots' && operation === 'CREATE' && name.startsWith('first-'),
    );
    const firstJob = await startBackup(first);
    const { allow } = await asks;
    expect(await server.held()).not.toEqual([]);
    const rehearsing = stillpoint('doctor', third.name, '-n', namespace.name, '--rehearse', '--yes', '--timeout', '5m');
    const secondJob = await startBackup(second);
    const log = await followLog(await nthPod(secondJob), namespace.name);
    try {
      await eventually(
        'the second backup waits',
        async () => (await log.lines()).some(({ message }) => /^waits for backup .*\/first\//.test(message ?? '')),
        { seconds: 120 },
      );
    } finally {
      await log[Symbol.asyncDispose]();
      allow();
    }
    const [one, other] = [succeeded(await backupEnd(first, firstJob)), succeeded(await backupEnd(second, secondJob))];
    expect(Date.parse(other.times.frozen ?? '')).toBeGreaterThan(Date.parse(one.times.thawed ?? ''));
    expect([one.proof?.holds, other.proof?.holds]).toEqual([true, true]);
    expect(other.warnings ?? []).not.toContainEqual(expect.stringContaining('an earlier'));
    const rehearsal = await rehearsing;
    expect(rehearsal, `${rehearsal.stdout}${rehearsal.stderr}`).toMatchObject({ exitCode: 0 });
    // What it had written down is on its way out, with nothing held.
    expect(await recordsOf(third)).toMatchObject([{ phase: 'deleting', cuts: [] }]);
    await isLetGo(server);
  });

  // What would need a guard nobody can take without a Job.
  test.runIf(!engine.guarded)('rule 2: it waits for a backup that a person takes without a Job, too', async () => {
    await using slow = await makeRetainClass('VolumeSnapshotClass', { cutDelayMs: '15000' });
    const mine = await server.policy({ name: 'by-hand', budget: Duration.seconds(180), className: slow.name });
    const other = await server.policy({ name: 'other' });
    const asks = gate.hold(
      ({ resource, operation, name }) =>
        resource === 'volumesnapshots' && operation === 'CREATE' && name.startsWith('by-hand-'),
    );
    const taking = backupByHand(mine);
    const { allow } = await asks;
    const job = await startBackup(other);
    const log = await followLog(await nthPod(job), namespace.name);
    try {
      await eventually(
        'the other backup waits',
        async () => (await log.lines()).some(({ message }) => /^waits for backup .*\/by-hand\//.test(message ?? '')),
        { seconds: 120 },
      );
    } finally {
      await log[Symbol.asyncDispose]();
      allow();
    }
    const taken = await taking;
    expect(taken, taken.stderr).toMatchObject({ exitCode: 0 });
    const [first] = (await recordsOf(mine)).map(({ times }) => times);
    const second = succeeded(await backupEnd(other, job));
    expect(Date.parse(second.times.frozen ?? '')).toBeGreaterThan(Date.parse(first?.thawed ?? ''));
    await isLetGo(server);
  });
});
