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
import { LedgerWriter } from '../ledger/writer';
import { type Anything, core, eventsOn, KINDS, list, patch, read, remove } from './harness/cluster';
import { GUARDED, type HeldServer } from './harness/held';
import { isGuard, nthGuard, nthPod, podsOf, startBackup, type TestJob } from './harness/job';
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

/** Does for one pod what the scheduler does. */
const bind = async ({ metadata }: Anything, node: string): Promise<void> => {
  const { name = '', namespace = '' } = metadata ?? {};
  const target = { apiVersion: 'v1', kind: 'Node', name: node };
  await core().createNamespacedPodBinding({ name, namespace, body: { metadata: { name }, target } });
};

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
  async function startApart(policy: Parameters<typeof startBackup>[0]): Promise<TestJob> {
    // Neither node takes new pods: both wait until they are told where to go.
    for (const node of [KEPT, LOST]) await cordon(node, true);
    try {
      const job = await startBackup(policy);
      const waiting = await eventually('the Job has its two pods', async () => {
        const pods = await podsOf(job);
        return pods.length === 2 ? pods : undefined;
      });
      for (const pod of waiting) await bind(pod, isGuard(pod) ? KEPT : LOST);
      const placed = [await nodeOf(await nthPod(job)), await nodeOf(await nthGuard(job))];
      expect(placed).toEqual([LOST, KEPT]);
      return job;
    } finally {
      for (const node of [KEPT, LOST]) await cordon(node, false);
    }
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
    const job = await startApart(policy);
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
