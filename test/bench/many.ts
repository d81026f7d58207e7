/**
 * Many databases that are due in the same minute, against the snapshot controller's production defaults: how long is the one
 * held that is held longest, how long does the last one wait, and is everything done in the end? `many:40` takes 40 of them;
 * `many:direct` cuts directly, `many:direct-without-turns` shows what turns are for. It keeps the controller busy for minutes: nothing else on the cluster is to take snapshots.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { BackupRecord } from '../../src/contract';
import { KINDS, list } from '../e2e/harness/cluster';
import { startBackup } from '../e2e/harness/job';
import { makeNamespace } from '../e2e/harness/namespace';
import type { TestPolicy } from '../e2e/harness/policy';
import { prepareRun } from '../e2e/harness/prepare';
import { recordsOf } from '../e2e/harness/records';
import { eventually } from '../e2e/harness/wait';
import { applyManyPolicy, type SmallServer, startSmallServers } from './many-servers';
import type { BenchOptions } from './options';
import { heldAtOnce } from './overlap';
import { controllerRested } from './rested';
import type { BenchRow, Place } from './rows';
import { timesRow } from './table';

const DATABASES = 200;

/** More policies are not applied, and Jobs not started, at once by this one process: the API server is nobody's alone. */
const AT_A_TIME = 20;

/** None waits for more than its own turn and its own cut: longer than this, something else was waited for. */
const TARGET_MS = 1_000;

interface Way {
  readonly name: string;
  readonly directCut: boolean;
  readonly slots: number;
}

/** The last ones show what turns are for: by their names alone. */
const WAYS: readonly Way[] = [
  { name: 'plain', directCut: false, slots: 1 },
  { name: 'direct', directCut: true, slots: 1 },
  { name: 'plain-without-turns', directCut: false, slots: 0 },
  { name: 'direct-without-turns', directCut: true, slots: 0 },
];

const LIMIT_SECONDS = 3_600;

/** A list of 200 Jobs is a megabyte: what looks must not be what is measured. */
const LOOK_MS = 3_000;

export async function* bench({ parts }: BenchOptions): AsyncGenerator<BenchRow, void> {
  const count = parts.map(Number).find((part) => part > 0) ?? DATABASES;
  const named = WAYS.filter(({ name }) => parts.includes(name));
  const ways = named.length > 0 ? named : WAYS.filter(({ slots }) => slots > 0);
  await using _run = await prepareRun();
  await using namespace = await makeNamespace('many');
  const servers = await startSmallServers(namespace.name, count);
  await controllerRested();
  for (const way of ways) {
    yield* await allAtOnce(servers, way);
  }
}

async function allAtOnce(
  servers: readonly SmallServer[],
  { name: way, directCut, slots }: Way,
): Promise<readonly BenchRow[]> {
  const policies = await inBatches(servers, (server, index) =>
    applyManyPolicy(server, { name: `${way}-${index}`, directCut, slots }),
  );
  const began = Date.now();
  await inBatches(policies, (policy) => startBackup(policy));
  await allEnded(policies, way);
  const took = Date.now() - began;
  const records = (await inBatches(policies, async (policy) => await recordsOf(policy))).flat();
  return rowsOf(records, { way, count: servers.length, took });
}

/** Jobs that have failed stay failed: what is counted is what came of them. */
async function allEnded(policies: readonly TestPolicy[], way: string): Promise<void> {
  const namespace = policies[0]?.namespace ?? '';
  const names = new Set(policies.map(({ name }) => name));
  await eventually(
    `the Jobs of ${policies.length} policies have ended`,
    async () => {
      await pause(LOOK_MS);
      const jobs = (await list(KINDS.job, namespace)).filter(({ metadata }) =>
        (metadata?.ownerReferences ?? []).some(({ name }) => names.has(name)),
      );
      const ended = jobs.filter(({ status }) =>
        (status?.conditions ?? []).some(
          ({ type, status: value }: { type: string; status: string }) =>
            value === 'True' && (type === 'Complete' || type === 'Failed'),
        ),
      );
      process.stderr.write(`\rmany, ${way}: ${ended.length} of ${policies.length} have ended `);
      return ended.length === policies.length;
    },
    { seconds: LIMIT_SECONDS },
  );
  process.stderr.write('\n');
}

function rowsOf(
  records: readonly BackupRecord[],
  { way, count, took }: { readonly way: string; readonly count: number; readonly took: number },
): readonly BenchRow[] {
  const line = `${count} databases, ${way}`;
  const name = `many: ${line}`;
  const at = (column: string): Place => ({ table: 'many', line, column });
  const done = records.filter(({ phase }) => phase === 'succeeded');
  const windows = done.map(({ freezeWindowMs = Number.NaN }) => freezeWindowMs);
  const waits = done.map(({ times }) => instant(times.frozen) - instant(times.started));
  return [
    { name: `${name}: succeeded`, value: done.length, unit: '', place: at('succeeded') },
    {
      name: `${name}: not succeeded`,
      value: count - done.length,
      unit: '',
      target: 0,
      place: at('not succeeded'),
    },
    // Why: a number alone would have to be measured again.
    ...Object.entries(Object.groupBy(records, ({ phase, error }) => error?.code ?? phase))
      .filter(([code]) => code !== 'succeeded')
      .map(([code, of = []]) => ({
        name: `${name}: ${code} (as ${of[0]?.error?.message ?? 'none said'})`,
        value: of.length,
        unit: '',
      })),
    { name: `${name}: without a record`, value: count - records.length, unit: '', target: 0 },
    {
      name: `${name}: the longest freeze`,
      value: Math.max(...windows),
      unit: 'ms',
      target: TARGET_MS,
      place: at('longest freeze'),
    },
    { ...timesRow(`${name}: freeze window`, windows), place: at('freeze window') },
    { ...timesRow(`${name}: from the record to the freeze`, waits), place: at('from the record to the freeze') },
    {
      name: `${name}: held at the same time`,
      value: heldAtOnce(done),
      unit: '',
      place: at('held at the same time, at most'),
    },
    {
      name: `${name}: until all had ended`,
      value: Math.round(took / 1000),
      unit: 's',
      place: at('until all had ended'),
    },
  ];
}

function instant(time: string | undefined): number {
  return Date.parse(time ?? '');
}

async function inBatches<T, U>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<U>,
): Promise<readonly U[]> {
  const results: U[] = [];
  for (let from = 0; from < items.length; from += AT_A_TIME) {
    const batch = items.slice(from, from + AT_A_TIME);
    results.push(...(await Promise.all(batch.map((item, index) => work(item, from + index)))));
  }
  return results;
}
