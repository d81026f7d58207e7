/**
 * How long databases are held for a snapshot, and what a client sees of it: the freeze window (hold taken to let go) and
 * the longest that one commit took, for each engine and mode, on storage that cuts at once and on storage that takes
 * 0.5 s to cut and 20 s more until it is ready. Beside ours stand other ways of deciding when to let go (other-ways.ts).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { restMs } from '../../runner/slot';
import { ENGINES } from '../e2e/engines';
import type { EngineAdapter, EngineMode, TestServer } from '../e2e/engines/adapter';
import { succeeded, takeBackup } from '../e2e/harness/backup';
import { followDriverLog } from '../e2e/harness/disk';
import { makeNamespace, uniqueName } from '../e2e/harness/namespace';
import { prepareRun } from '../e2e/harness/prepare';
import { makeRetainClass } from '../e2e/kube/fixture';
import { LedgerWriter } from '../ledger/writer';
import { type BenchOptions, wantedOf } from './options';
import { LOCKS, OTHER_WAYS, snapshotIn } from './other-ways';
import type { BenchRow } from './rows';
import { timesRow } from './table';

/** The parameters of the cluster's classes `disk` and `disk-slow`, in classes that retain. */
const STORAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  disk: {},
  'disk-slow': { cutDelayMs: '500', readyDelayMs: '20000' },
};

/** Time around the freeze in which a commit may have been held up: taking hold begins before the window does. */
const AROUND_MS = 1_000;

/** A pause between two commits of a writer: a busy machine would be measured otherwise. */
const EVERY_MS = 5;

interface Sample {
  readonly windowMs: number;
  readonly stallMs: number;
  readonly driverMs: number;
}

export async function bench({ runs, parts }: BenchOptions): Promise<BenchRow[]> {
  await using _run = await prepareRun();
  const rows: BenchRow[] = [];
  const engines = wantedOf(
    parts,
    ENGINES.map(({ name }) => name),
  );
  const storages = wantedOf(parts, Object.keys(STORAGES));
  for (const adapter of ENGINES.filter(({ name }) => engines.includes(name))) {
    await using namespace = await makeNamespace('freezes');
    for (const setup of new Set(adapter.modes.map((mode) => mode.setup))) {
      const server = await adapter.start({ namespace: namespace.name, name: `${adapter.name}-${setup}`, setup });
      const modes = adapter.modes.filter((mode) => mode.setup === setup);
      for (const storage of storages) {
        await using kept = await makeRetainClass('VolumeSnapshotClass', STORAGES[storage]);
        const place = { adapter, server, className: kept.name, storage };
        for (const mode of modes) rows.push(...(await ours(place, mode, runs)));
        if (setup === adapter.modes[0].setup) rows.push(...(await others(place, runs)));
      }
    }
  }
  return rows;
}

interface Place {
  readonly adapter: EngineAdapter;
  readonly server: TestServer;
  readonly className: string;
  readonly storage: string;
}

async function ours(
  { adapter, server, className, storage }: Place,
  mode: EngineMode,
  runs: number,
): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const directCut of [false, true]) {
    const name = uniqueName('bench');
    const policy = await server.policy(mode, { name, className, directCut });
    const volumes = Object.keys(server.claims).length;
    const title = `freezes: ${adapter.title} ${mode.name}, ${storage}, ${directCut ? 'direct' : 'plain'}`;
    rows.push(
      ...(await measured(title, server, runs, volumes, async () => {
        const { freezeWindowMs = Number.NaN, times } = succeeded(await takeBackup(policy));
        return {
          windowMs: freezeWindowMs,
          frozen: Date.parse(times.frozen ?? ''),
          thawed: Date.parse(times.thawed ?? ''),
        };
      })),
    );
  }
  return rows;
}

async function others({ adapter, server, className, storage }: Place, runs: number): Promise<BenchRow[]> {
  const lock = LOCKS[adapter.name];
  const [claim] = Object.values(server.claims);
  if (lock === undefined || claim === undefined) return [];
  const target = await server.target();
  const rows: BenchRow[] = [];
  for (const way of OTHER_WAYS) {
    const title = `freezes: ${adapter.title}, ${storage}, another way: ${way.name}`;
    const of = { namespace: server.namespace, claim, className };
    rows.push(
      ...(await measured(title, server, runs, 1, async () => {
        const { frozen, thawed } = await snapshotIn(way, () => lock(target), of);
        return { windowMs: thawed - frozen, frozen, thawed };
      })),
    );
  }
  return rows;
}

/** Measures a backup under a ledger some times; before each the snapshot controller is let to rest. */
async function measured(
  title: string,
  server: TestServer,
  runs: number,
  volumes: number,
  backup: () => Promise<{ readonly windowMs: number; readonly frozen: number; readonly thawed: number }>,
): Promise<BenchRow[]> {
  const samples: Sample[] = [];
  for (let run = 0; run < runs; run++) {
    await pause(restMs(volumes) + AROUND_MS);
    const driver = await followDriverLog();
    const ledger = await LedgerWriter.start({ connect: server.connect, everyMs: EVERY_MS, now: Date.now });
    await ledger.more(20);
    const { windowMs, frozen, thawed } = await backup();
    await ledger.more(20);
    await ledger.stop();
    const stallMs = ledger.longestStallMs(frozen - AROUND_MS, thawed + AROUND_MS);
    samples.push({ windowMs, stallMs, driverMs: Math.max(...(await driver.durations('CreateSnapshot'))) });
    const client = await server.connect();
    await client.forget();
    await client.end();
  }
  return [
    timesRow(
      `${title}: freeze window`,
      samples.map((each) => each.windowMs),
    ),
    timesRow(
      `${title}: longest commit`,
      samples.map((each) => each.stallMs),
    ),
    timesRow(
      `${title}: CreateSnapshot`,
      samples.map((each) => each.driverMs),
    ),
  ];
}
