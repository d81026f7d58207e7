/** A Redis Cluster in one backup: every master held at once, the map of slots on record, and a cluster made of the copies. */
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { compareLedger } from '../ledger/writer';
import { LEDGER_RUNS } from '../support/soak';
import { sharedLedger } from './engines/copy';
import { attemptBackup, succeeded, takeBackup } from './harness/backup';
import { openGate } from './harness/gate';
import { forget, nthPod, startBackup } from './harness/job';
import { makeNamespace, type TestNamespace, uniqueName } from './harness/namespace';
import { applyRedisPolicy } from './harness/policy';
import { changedAt, startClusterOnClaims, startRedisCluster, type TestRedisCluster } from './harness/redis-cluster';
import { runnerProcess } from './harness/runner-process';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

let namespace: TestNamespace;
let cluster: TestRedisCluster;

beforeAll(async () => {
  namespace = await makeNamespace('redis-cluster');
  cluster = await startRedisCluster(namespace.name, 'cache');
});
afterAll(() => namespace[Symbol.asyncDispose]());

/** What is held at any of the masters. */
async function held(): Promise<readonly string[]> {
  const all = await Promise.all(
    cluster.pods.map(async (pod) => {
      const client = await cluster.connectToPod(pod);
      return await changedAt(client).finally(() => client.end());
    }),
  );
  return all.flat();
}

/** Says something to one master. */
async function say(pod: string, ...args: readonly string[]): Promise<string> {
  const client = await cluster.connectToPod(pod);
  return String(await client.send(...args).finally(() => client.end()));
}

/** Restores all masters at once, has each looked at, and makes a cluster of the copies: the numbers of its rows. */
async function restoredRows(record: BackupRecord): Promise<readonly number[]> {
  const name = uniqueName('copy');
  const path = `${record.namespace}/${record.database}/${record.id}`;
  const restored = await stillpoint('restore', path, '--claim', name, '--start', '-o', 'json');
  expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
  const { members, volumes } = JSON.parse(restored.stdout) as {
    members: { member: string; server: { inspection: { findings: { severity: string; message: string }[] } } }[];
    volumes: { claim: string }[];
  };
  expect(members.map(({ member }) => member)).toEqual(cluster.pods);
  for (const { server } of members) {
    for (const { severity, message } of server.inspection.findings) expect(severity, message).toBe('ok');
  }
  const client = await startClusterOnClaims(
    namespace.name,
    volumes.map(({ claim }) => claim),
  );
  return await client.numbers().finally(() => client.end());
}

describe('every master of a cluster in one backup', () => {
  test(
    `holds all of them at one instant: ${LEDGER_RUNS} of ${LEDGER_RUNS} copies have exactly the acknowledged rows`,
    async () => {
      const policy = await applyRedisPolicy(cluster);
      for (let run = 0; run < LEDGER_RUNS; run++) {
        const ledger = await sharedLedger(cluster.ledger);
        const record = succeeded(await takeBackup(policy));
        await ledger.more(50);
        await ledger.stop();
        expect(record).toMatchObject({ engine: 'redis', freezes: 'writes', layout: 'atomic' });
        expect(record.members?.map(({ name }) => name)).toEqual(cluster.pods);
        expect(record.members?.map(({ position }) => position?.slots)).toEqual(['0-5460', '5461-10922', '10923-16383']);
        expect(record.volumes.map(({ name, claim, member }) => ({ name, claim, member }))).toEqual(
          cluster.pods.map((pod) => ({ name: `data-${pod}`, claim: `data-${pod}`, member: pod })),
        );
        const { before, after } = record.proof ?? {};
        for (const pod of cluster.pods) {
          expect(after?.facts[`${pod}.clusterState`]).toBe('ok');
          expect(after?.facts[`${pod}.slots`]).toBe(before?.facts[`${pod}.slots`]);
          expect(after?.facts[`${pod}.writes`]).toContain('has been waiting since');
        }
        expect(await held()).toEqual([]);
        const verdict = compareLedger(ledger.rows, await restoredRows(record), {
          firstAsked: Date.parse(record.times.firstAsked ?? ''),
          lastSeen: Date.parse(record.times.lastCutSeen ?? ''),
        });
        expect(verdict).toMatchObject({ lost: [], foreign: [] });
        expect(verdict.present).toBeGreaterThan(200);
        process.stdout.write(
          `    held ${record.freezeWindowMs} ms, spread ${record.spreadMs} ms, ${verdict.present} rows in the copies\n`,
        );
      }
    },
    LEDGER_RUNS * 180_000 + 120_000,
  );

  test('rule 8: all masters go on when the runner is killed', async () => {
    const budgetSeconds = 8;
    const policy = await applyRedisPolicy(cluster, {
      database: 'killed',
      name: 'killed',
      budget: Duration.seconds(budgetSeconds),
    });
    const ledger = await sharedLedger(cluster.ledger);
    await using gate = await openGate(namespace.name);
    const asked = gate.hold(({ resource, operation }) => resource === 'volumesnapshots' && operation === 'CREATE');
    const from = Date.now();
    const job = await startBackup(policy);
    const { refuse } = await asked;
    const runner = await runnerProcess(await nthPod(job), namespace.name);
    runner.kill();
    await ledger.more(100);
    const stall = ledger.longestStallMs(from);
    expect(stall).toBeLessThan((budgetSeconds + 5) * 1000);
    await eventually('nothing is held at any master', async () => (await held()).length === 0, { seconds: 15 });
    process.stdout.write(`    stall ${Math.round(stall)} ms\n`);
    refuse();
    await forget(job);
  });

  test('rule 6: a move of slots that begins while the masters are held fails the backup', async () => {
    const policy = await applyRedisPolicy(cluster, { database: 'moved', name: 'moved' });
    const [from = '', to = ''] = cluster.pods;
    const target = (await say(to, 'CLUSTER', 'MYID')).trim();
    await using gate = await openGate(namespace.name);
    const asked = gate.hold(({ resource, operation }) => resource === 'volumesnapshots' && operation === 'CREATE');
    const attempt = attemptBackup(policy);
    const ended = attempt.then(({ error }): never => {
      throw new Error(`it ended before it asked for a snapshot: ${error?.message}`);
    });
    const { allow } = await Promise.race([asked, ended]);
    ended.catch(() => undefined);
    await say(from, 'CLUSTER', 'SETSLOT', '7', 'MIGRATING', target);
    allow();
    const { record } = await attempt;
    expect(record).toMatchObject({ phase: 'failed', error: { code: 'proof-failed' } });
    expect(record?.error?.message).toContain(`slots are being moved: 7->-${target}`);
    expect(await held()).toEqual([]);
  });

  test('rule 2: one whose slots are being moved is refused before anything is touched', async () => {
    const { record } = await attemptBackup(await applyRedisPolicy(cluster, { database: 'moving', name: 'moving' }));
    expect(record).toMatchObject({ phase: 'failed', error: { code: 'server-unsafe' } });
    expect(record?.error?.message).toContain('slots are being moved: 7->-');
    expect(record?.plannedSnapshots).toBeUndefined();
    await say(cluster.pods[0] ?? '', 'CLUSTER', 'SETSLOT', '7', 'STABLE');
  });
});
