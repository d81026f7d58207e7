/** One backup, or one snapshot in another way, while a client writes: how long was the database held, what did it see? */
import { setTimeout as pause } from 'node:timers/promises';
import type { BackupRecord } from '../../src/contract';
import { followDriverLog } from '../e2e/harness/disk';
import { runnersOf, startBackup, type TestJob } from '../e2e/harness/job';
import { wholeLog } from '../e2e/harness/logs';
import { uniqueName } from '../e2e/harness/namespace';
import type { TestPolicy } from '../e2e/harness/policy';
import { recordsOf } from '../e2e/harness/records';
import { eventually, Hopeless } from '../e2e/harness/wait';
import { LedgerWriter } from '../ledger/writer';
import type { BenchServer, EngineMode } from './engines';
import { LOCKS } from './locks';
import { type OtherWay, snapshotIn } from './other-ways';

/** What one sample came to. */
export interface FreezeSample {
  readonly windowMs: number;
  /** The longest that one commit took around it. */
  readonly stallMs: number;
  /** The longest CreateSnapshot of the driver; not of the other ways, which overlap. */
  readonly driverMs: number;
  /** From being told to stop to being ready again; undefined of what is not stopped. */
  readonly downtimeMs?: number | undefined;
}

/** Where snapshots are taken. */
export interface Storage {
  readonly name: string;
  readonly className: string;
}

/**
 * Until the snapshot controller has rested: its bucket of 10 requests fills at 5 a second, and what is left to do when a cut
 * was seen is done within the first of them.
 */
export const SETTLED_MS = 3_000;

/** Time around the freeze in which a commit may have been held up: taking hold begins before the window does. */
const AROUND_MS = 1_000;

/** Pauses between two commits of a writer: a busy machine would be measured otherwise. */
const EVERY_MS = { alone: 5, besideOthers: 50 } as const;

/** A backup by a policy of its own: the one before may still be waiting for its snapshot to be ready. */
export async function oursOnce(
  server: BenchServer,
  mode: EngineMode,
  { className }: Storage,
  { directCut }: { readonly directCut: boolean },
): Promise<FreezeSample> {
  const policy = await server.policy(mode, { name: uniqueName('bench'), className, directCut });
  // A direct cut asks the controller for nothing before the thaw.
  if (!directCut) await pause(SETTLED_MS);
  const driver = await followDriverLog();
  let downtimeMs: number | undefined;
  const { stallMs, windowMs } = await besideWriters(server, EVERY_MS.alone, async () => {
    const record = await letGo(policy, await startBackup(policy), mode);
    const { freezeWindowMs = Number.NaN, times } = record;
    downtimeMs = record.downtimeMs;
    const [frozen, thawed] = [Date.parse(times.frozen ?? ''), Date.parse(times.thawed ?? '')];
    return { windowMs: freezeWindowMs, frozen, thawed };
  });
  return { windowMs, stallMs, driverMs: Math.max(...(await driver.durations('CreateSnapshot'))), downtimeMs };
}

/** A snapshot in another way. */
export async function theirsOnce(
  server: BenchServer,
  engine: string,
  way: OtherWay,
  { className }: Storage,
): Promise<FreezeSample> {
  const lock = LOCKS[engine];
  const [claim] = Object.values(server.claims);
  if (lock === undefined || claim === undefined) throw new Error(`there is no lock of ${engine} in locks.ts`);
  const target = await server.target();
  const sample = await besideWriters(server, EVERY_MS.besideOthers, async () => {
    const of = { namespace: server.namespace, claim, className };
    const { frozen, thawed } = await snapshotIn(way, () => lock(target), of);
    return { windowMs: thawed - frozen, frozen, thawed };
  });
  return { ...sample, driverMs: Number.NaN };
}

/** The record of a backup whose database was let go, and is back where it was stopped; the snapshot may not be ready yet. */
async function letGo(policy: TestPolicy, job: TestJob, { fromOutside }: EngineMode): Promise<BackupRecord> {
  return await eventually(
    `the database of Job ${job.name} was frozen and let go`,
    async () => {
      const [record] = await recordsOf(policy);
      if (record?.phase === 'failed') throw new Hopeless(`${record.error?.message}\n${await saidBy(job)}`);
      if (record?.times.thawed === undefined) return undefined;
      return fromOutside === true && record.downtimeMs === undefined ? undefined : record;
    },
    { seconds: 180 },
  );
}

async function saidBy(job: TestJob): Promise<string> {
  const logs = (await runnersOf(job)).map(({ metadata }) => wholeLog(metadata?.name ?? '', job.namespace));
  return (await Promise.all(logs))
    .flat()
    .map((line) => JSON.stringify(line))
    .join('\n');
}

interface Held {
  readonly windowMs: number;
  readonly frozen: number;
  readonly thawed: number;
}

async function besideWriters(
  server: BenchServer,
  everyMs: number,
  hold: () => Promise<Held>,
): Promise<Omit<FreezeSample, 'driverMs'>> {
  const ledger = await LedgerWriter.start({ connect: () => server.connect(), everyMs, now: Date.now });
  try {
    await ledger.more(20);
    const { windowMs, frozen, thawed } = await hold();
    await ledger.more(20);
    return { windowMs, stallMs: ledger.longestStallMs(frozen - AROUND_MS, thawed + AROUND_MS) };
  } finally {
    await ledger.stop();
    const client = await server.connect();
    await client.forget();
    await client.end();
  }
}
