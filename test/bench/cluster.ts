/**
 * Backups of one volume on a real cluster, as users take them: what the runner adds to the storage's own time, when its
 * first statement reaches the server, its memory, and the size of its image.
 *
 * The runner is stopped at the door of the API server just before it writes `succeeded`: there its process is looked at.
 * All clocks are this machine's.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../runner/clock';
import { connectKube } from '../../runner/kube/client';
import { createLog } from '../../runner/log';
import { LABELS } from '../../src/contract';
import { core } from '../e2e/harness/cluster';
import { followDriverLog } from '../e2e/harness/disk';
import { type Gate, openGate } from '../e2e/harness/gate';
import { backupInProcess, inProcessConfig } from '../e2e/harness/in-process';
import { jobEnd, nthPod, startBackup } from '../e2e/harness/job';
import { linesOf } from '../e2e/harness/logs';
import { makeNamespace } from '../e2e/harness/namespace';
import { applyPolicy, type TestPolicy } from '../e2e/harness/policy';
import { startPostgres, type TestPostgres } from '../e2e/harness/postgres';
import { prepareRun } from '../e2e/harness/prepare';
import { recordOf } from '../e2e/harness/records';
import { followStarts, runnerProcess } from '../e2e/harness/runner-process';
import { thisRun } from '../e2e/harness/this-run';
import type { BenchOptions } from './options';
import { firstStatementSince, LOG_LINE_PREFIX, peakMiB } from './process';
import type { BenchRow } from './rows';
import { median } from './table';

/** The snapshot controller makes 5 requests a second, in bursts of 10: so long it takes until it is rested. */
const REST_MS = 5000;

const TARGETS = { overheadMs: 150, firstStatementMs: 300, memoryMiB: 110, requests: 40 } as const;

interface Situation {
  readonly policy: TestPolicy;
  readonly server: TestPostgres;
  readonly gate: Gate;
  /** When each process of a container was started, in milliseconds since 1970. */
  readonly starts: ReadonlyMap<number, number>;
}

interface Sample {
  /** From the session being ready to the cut being seen, less what the driver's CreateSnapshot took. */
  readonly overheadMs: number;
  /** From the start of the runner's process to its first statement in the server's log. */
  readonly firstStatementMs: number;
  readonly peakMiB: number;
}

export async function* bench({ runs }: BenchOptions): AsyncGenerator<BenchRow, void> {
  await using _run = await prepareRun();
  await using namespace = await makeNamespace('bench');
  const logging = ['log_statement=all', 'logging_collector=on', 'log_filename=all.log'];
  const server = await startPostgres({
    namespace: namespace.name,
    version: '17',
    settings: [...logging, `log_line_prefix=${LOG_LINE_PREFIX}`],
  });
  const policy = await applyPolicy(server);
  await using gate = await openGate(namespace.name);
  await using starts = followStarts();
  const situation = { policy, server, gate, starts: starts.at };
  await sample(situation);
  const samples: Sample[] = [];
  for (let run = 0; run < runs; run++) {
    await pause(REST_MS);
    samples.push(await sample(situation));
  }
  // A call of the driver that its log does not show has no time of its own.
  const overheads = samples.map(({ overheadMs }) => overheadMs).filter(Number.isFinite);
  yield* [
    {
      name: `cluster: session ready to cut seen, over the driver's own time, p50 of ${overheads.length}`,
      ...ms(median(overheads)),
      target: TARGETS.overheadMs,
    },
    { name: 'cluster: the same, min', ...ms(Math.min(...overheads)) },
    { name: 'cluster: the same, max', ...ms(Math.max(...overheads)) },
    {
      name: 'cluster: process start to first SQL statement, p50',
      ...ms(median(samples.map((each) => each.firstStatementMs))),
      target: TARGETS.firstStatementMs,
    },
    {
      name: 'cluster: peak memory of the runner, max',
      value: Math.round(Math.max(...samples.map(({ peakMiB }) => peakMiB))),
      unit: 'MiB',
      target: TARGETS.memoryMiB,
    },
    {
      name: 'cluster: requests to the API in a backup',
      value: await requests(server),
      unit: '',
      target: TARGETS.requests,
    },
    { name: 'image, unpacked', value: Math.round((await imageBytes()) / 1e6), unit: 'MB' },
  ];
}

function ms(value: number): { readonly value: number; readonly unit: string } {
  return { value: Math.round(value), unit: 'ms' };
}

async function sample({ policy, server, gate, starts }: Situation): Promise<Sample> {
  const driver = await followDriverLog();
  const held = gate.hold(
    ({ resource, object }) => resource === 'configmaps' && object?.metadata?.labels?.[LABELS.phase] === 'succeeded',
  );
  const job = await startBackup(policy);
  const { allow } = await held;
  const pod = await nthPod(job);
  const { pid } = await runnerProcess(pod, policy.namespace);
  const startedAt = starts.get(pid) ?? Number.NaN;
  const sample = {
    firstStatementMs: ((await firstStatement(server, startedAt)) ?? Number.NaN) - startedAt,
    sessionReadyAt: sessionReady(await core().readNamespacedPodLog({ name: pod, namespace: policy.namespace })),
    peakMiB: peakMiB(pid) ?? Number.NaN,
  };
  allow();
  await jobEnd(job);
  const { times } = await recordOf(policy, job);
  const [storageMs = Number.NaN] = await driver.durations('CreateSnapshot');
  return { ...sample, overheadMs: Date.parse(times.lastCutSeen ?? '') - sample.sessionReadyAt - storageMs };
}

/** The session is ready when the checks are done; then the plan is put on record, and the snapshot asked for. */
function sessionReady(log: string): number {
  const done = linesOf(log).find(({ step, message }) => step === 'check' && message === 'step done');
  return Date.parse(String(done?.time));
}

async function firstStatement(server: TestPostgres, since: number): Promise<number | undefined> {
  const client = await server.connect();
  const { rows } = await client.query<{ log: string }>("SELECT pg_read_file('log/all.log') AS log");
  await client.end();
  return firstStatementSince(rows[0]?.log ?? '', 'stillpoint', since);
}

/** Counted in a backup in this very process: the API server does not tell whose requests it has answered. */
async function requests(server: TestPostgres): Promise<number> {
  await using made = await inProcessConfig(server, thisRun.registry);
  const client = await connectKube({ env: process.env }, systemClock);
  await backupInProcess(made.config, client, createLog('text', { write: () => undefined }));
  return client.requestCount;
}

async function imageBytes(): Promise<number> {
  const { items } = await core().listNode();
  const images = items.flatMap(({ status }) => status?.images ?? []);
  const found = images.find(({ names }) => names?.some((name) => name.endsWith(`/${thisRun.image}`)));
  return found?.sizeBytes ?? Number.NaN;
}
