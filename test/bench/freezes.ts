/**
 * How long databases are held for a snapshot, and what a client sees of it: the freeze window (hold taken to let go) and
 * the longest that one commit took, for each engine and mode, on storage that cuts at once and on storage that takes
 * 0.5 s to cut and 20 s more until it is ready. Beside ours stand other ways of deciding when to let go (other-ways.ts).
 *
 * Plain and direct backups are taken in turns, so that a machine that slows down does so for both.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { makeNamespace } from '../e2e/harness/namespace';
import { prepareRun } from '../e2e/harness/prepare';
import { makeRetainClass } from '../e2e/kube/fixture';
import { type BenchEngine, type BenchServer, type EngineMode, hasOtherWays, modesOf, wantedEngines } from './engines';
import { type FreezeSample, oursOnce, SETTLED_MS, type Storage, theirsOnce } from './freeze-samples';
import { type BenchOptions, wantedOf } from './options';
import { OTHER_WAYS, type OtherWay } from './other-ways';
import { controllerRested } from './rested';
import type { BenchRow, Place } from './rows';
import { median, timesRow } from './table';
import { type Failures, tried } from './tried';

/** The parameters of the cluster's classes `disk` and `disk-slow`, in classes that retain. */
const STORAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  disk: {},
  'disk-slow': { cutDelayMs: '500', readyDelayMs: '20000' },
};

/** Slow storage adds the same to every mode: there only those are measured that hold something. */
const FAST = 'disk';

/** What others do lasts as long as they say, each time: to see that, few looks are enough. */
const RUNS_OF_OTHERS = 2;

interface Server {
  readonly engine: BenchEngine;
  readonly setup: string;
  readonly server: BenchServer;
}

export async function* bench(options: BenchOptions): AsyncGenerator<BenchRow, void> {
  await using _run = await prepareRun();
  // Until all is measured: a snapshot whose class is gone is looked at by its controller again and again.
  await using classes = new AsyncDisposableStack();
  await using namespace = await makeNamespace('freezes');
  const servers = await startServers(namespace.name, wantedEngines(options));
  await controllerRested();
  for (const name of wantedOf(options.parts, Object.keys(STORAGES))) {
    const kept = classes.use(await makeRetainClass('VolumeSnapshotClass', STORAGES[name]));
    const storage: Storage = { name, className: kept.name };
    const failures: Failures = [];
    const ours: BenchRow[] = [];
    for (const { engine, setup, server } of servers) {
      const modes = modesOf(engine).filter(
        (mode) => mode.setup === setup && (name === FAST || mode.freezes !== 'nothing'),
      );
      for (const mode of modes) {
        const found = await oursOf({ engine, server, storage, mode, failures }, options.runs);
        ours.push(...found);
        yield* found;
      }
    }
    yield* await theirs(servers, storage, Math.min(options.runs, RUNS_OF_OTHERS), ours);
    yield {
      name: `freezes: ${name}: backups that failed and are in no value`,
      value: failures.length,
      unit: '',
      target: 0,
    };
  }
}

/** One for each setup of each engine, all at once. */
async function startServers(namespace: string, engines: readonly BenchEngine[]): Promise<readonly Server[]> {
  const wanted = engines.flatMap((engine) =>
    [...new Set(modesOf(engine).map((mode) => mode.setup))].map((setup) => ({ engine, setup })),
  );
  return await Promise.all(
    wanted.map(async ({ engine, setup }) => {
      const server = await engine.start({ namespace, name: `${engine.name}-${setup}`, setup });
      return { engine, setup, server };
    }),
  );
}

interface Ours {
  readonly engine: BenchEngine;
  readonly server: BenchServer;
  readonly storage: Storage;
  readonly mode: EngineMode;
  readonly failures: Failures;
}

async function oursOf({ engine, server, storage, mode, failures }: Ours, runs: number): Promise<readonly BenchRow[]> {
  const samples: Record<'plain' | 'direct', FreezeSample[]> = { plain: [], direct: [] };
  const line = `${engine.title}, ${mode.name}, ${storage.name}`;
  for (let run = 0; run < runs; run++) {
    for (const way of ['plain', 'direct'] as const) {
      const once = (): Promise<FreezeSample> => oursOnce(server, mode, storage, { directCut: way === 'direct' });
      samples[way].push(...(await tried(`${line}, ${way}`, once, failures)));
    }
  }
  return Object.entries(samples).flatMap(([way, of]) => {
    if (of.length === 0) return [];
    const at = (column: string): Place => ({ table: 'freezes', line, column: `${column}, ${way}` });
    const name = `freezes: ${line}, ${way}`;
    return [
      {
        ...timesRow(
          `${name}: freeze window`,
          of.map((each) => each.windowMs),
        ),
        place: at('freeze window'),
      },
      {
        ...timesRow(
          `${name}: longest commit`,
          of.map((each) => each.stallMs),
        ),
        place: at('longest commit'),
      },
      {
        ...timesRow(
          `${name}: CreateSnapshot`,
          of.map((each) => each.driverMs),
        ),
        place: at('CreateSnapshot'),
      },
      ...downtimeRows(name, of, at('downtime')),
    ];
  });
}

/** Of what was stopped. */
function downtimeRows(name: string, of: readonly FreezeSample[], place: Place): readonly BenchRow[] {
  const times = of.flatMap(({ downtimeMs }) => downtimeMs ?? []);
  return times.length === 0 ? [] : [{ ...timesRow(`${name}: downtime`, times), place }];
}

/** The other ways, for all engines at a time: each waits most of it, and begins when the controller has rested. */
async function theirs(
  servers: readonly Server[],
  storage: Storage,
  runs: number,
  ours: readonly BenchRow[],
): Promise<readonly BenchRow[]> {
  const first = servers.filter(({ engine, setup }) => hasOtherWays(engine) && engine.modes[0].setup === setup);
  const rows: BenchRow[] = [];
  for (const way of OTHER_WAYS) {
    const samples = first.map((): FreezeSample[] => []);
    for (let run = 0; run < runs; run++) {
      await Promise.all(
        first.map(async ({ engine, server }, index) => {
          await pause(index * SETTLED_MS);
          samples[index]?.push(await theirsOnce(server, engine.name, way, storage));
        }),
      );
      await pause(SETTLED_MS);
    }
    rows.push(...first.flatMap((server, index) => theirRows(server, storage, way, samples[index] ?? [], ours)));
  }
  return rows;
}

function theirRows(
  { engine }: Server,
  storage: Storage,
  way: OtherWay,
  samples: readonly FreezeSample[],
  ours: readonly BenchRow[],
): readonly BenchRow[] {
  const line = `${engine.title}, ${storage.name}: ${way.name}`;
  const at = (column: string): Place => ({ table: 'other ways', line, column });
  const name = `freezes: ${engine.title}, ${storage.name}, another way: ${way.name}`;
  const windows = samples.map((each) => each.windowMs);
  const stalls = samples.map((each) => each.stallMs);
  // Ours in its default mode, on the same server and storage, in the same run.
  const own = `${engine.title}, ${engine.modes[0].name}, ${storage.name}`;
  const ratios = ['plain', 'direct'].flatMap((how): BenchRow[] => {
    const base = ours.find(({ place }) => place?.line === own && place.column === `freeze window, ${how}`)?.value;
    if (base === undefined || base <= 0) return [];
    const value = Math.round((median(windows) / base) * 10) / 10;
    return [{ name: `${name}: times ours, ${how}`, value, unit: '×', place: at(`× ours, ${how}`) }];
  });
  return [
    { ...timesRow(`${name}: held`, windows), place: at('held') },
    { ...timesRow(`${name}: longest commit`, stalls), place: at('longest commit') },
    ...ratios,
  ];
}
