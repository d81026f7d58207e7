/**
 * The node of a runner loses its power while the runner holds a server (safety rule 8): the guard is on another node, and
 * a client's writes go on within the budget and 60 s. It takes a node from the whole cluster, so it runs only where
 * E2E_POWER_OFF=1 says that nobody else is at work there: it switches the node on again.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { Duration } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { guardLeaseName } from '../../src/contract';
import { LedgerWriter } from '../ledger/writer';
import { eventsOn, KINDS, list, patch, read, remove } from './harness/cluster';
import { openGate } from './harness/gate';
import { GUARDED, type HeldServer } from './harness/held';
import { nthGuard, nthPod, startBackup, type TestJob } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { recordsOf } from './harness/records';
import { eventually } from './harness/wait';

const run = promisify(execFile);
const tools = resolve(import.meta.dirname, '../..', process.env.TEST_CLUSTER ?? '../shared/cluster');
const NODE = { apiVersion: 'v1', kind: 'Node' } as const;
const BUDGET_SECONDS = 20;

/** Where the server and the guard are, and where the runner is lost. */
const [KEPT, LOST] = ['node-1', 'node-2'] as const;

const cordon = (node: string, unschedulable: boolean): Promise<void> =>
  patch(NODE, node, '', { spec: { unschedulable } });

const isReady = async (node: string): Promise<boolean> => {
  const conditions: readonly { type: string; status: string }[] = (await read(NODE, node))?.status?.conditions ?? [];
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
};

const allowed = process.env.E2E_POWER_OFF === '1' && existsSync(resolve(tools, 'power-off'));

describe.runIf(allowed).each(GUARDED)('$title', (engine) => {
  let namespace: TestNamespace;
  let server: HeldServer;

  beforeAll(async () => {
    namespace = await makeNamespace(`node-${engine.name}`);
    await cordon(LOST, true);
    server = await engine.start(namespace.name, { locksOut: true });
    await cordon(LOST, false);
  });

  afterAll(async () => {
    // Whatever has happened: the cluster is whole again for whoever comes next.
    await run(resolve(tools, 'up'), { timeout: 600_000 });
    for (const node of [KEPT, LOST]) await cordon(node, false);
    await eventually(`${LOST} is back`, () => isReady(LOST), { seconds: 300 });
    await namespace[Symbol.asyncDispose]();
  });

  const nodeOf = async (pod: string): Promise<string> =>
    String((await read(KINDS.pod, pod, namespace.name))?.spec.nodeName);

  /** A backup whose runner is on the one node, and its guard on the other, where the server is. */
  async function startApart(policy: Parameters<typeof startBackup>[0], database: string): Promise<TestJob> {
    await using gate = await openGate(namespace.name);
    // Held until the pods are where they have to be: the runner asks for its guard only after that.
    const first = gate.hold(({ resource, name }) => resource === 'leases' && name === guardLeaseName(database));
    await cordon(KEPT, true);
    const job = await startBackup(policy);
    const runner = await nthPod(job);
    const guard = await nthGuard(job);
    await cordon(KEPT, false);
    await cordon(LOST, true);
    const write = await first;
    await remove(KINDS.pod, guard, namespace.name, 0);
    write.allow();
    const next = await eventually(
      'the guard is on the other node',
      async () => {
        const name = await nthGuard(job);
        return name !== guard && (await nodeOf(name)) === KEPT ? name : undefined;
      },
      { seconds: 80 },
    );
    await cordon(LOST, false);
    expect([await nodeOf(runner), await nodeOf(next)]).toEqual([LOST, KEPT]);
    return job;
  }

  test('rule 8: the node of the runner is switched off, and writes go on within the budget and 60 s', async () => {
    const policy = await server.policy({
      name: 'powerless',
      className: 'disk-late',
      budget: Duration.seconds(BUDGET_SECONDS),
    });
    const ledger = await LedgerWriter.start({ connect: server.connect, now: Date.now });
    onTestFinished(() => ledger.stop().catch(() => undefined));
    await ledger.more(50);
    const job = await startApart(policy, policy.database);
    const from = Date.now();
    await eventually('a snapshot is asked for', async () => (await list(KINDS.snapshot, namespace.name)).length > 0, {
      seconds: 120,
    });
    expect(await server.held()).not.toEqual([]);
    await run(resolve(tools, 'power-off'), [LOST]);
    await ledger.more(20);
    const stall = ledger.longestStallMs(from);
    expect(stall).toBeLessThan((BUDGET_SECONDS + 60) * 1000);
    await eventually('nothing is held', async () => (await server.held()).length === 0, { seconds: 90 });
    const said = await eventually('the guard says what it did', async () => {
      return (await eventsOn(KINDS.job, job.name, namespace.name)).find((event) => event.includes(' GuardActed: '));
    });
    process.stdout.write(`    ${engine.name}: stall ${Math.round(stall)} ms; ${said}\n`);
    await remove(KINDS.job, job.name, job.namespace);
    for (const { phase } of await recordsOf(policy)) expect(phase).not.toBe('succeeded');
  });
});
