/**
 * What lies between asking for snapshots and seeing every cut, over the driver's own CreateSnapshot: plain, which goes by
 * the snapshot controller; direct; and as a group. With 1, 2 and 5 volumes, the controller rested before each.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../runner/clock';
import type { Volume } from '../../runner/ports';
import { KubernetesSnapshots } from '../../runner/snapshots/kubernetes';
import { followDriverLog } from '../e2e/harness/disk';
import { makeNamespace, uniqueName } from '../e2e/harness/namespace';
import { thisRun } from '../e2e/harness/this-run';
import { connect, cutRequest, keptLog, makeRetainClass, makeVolumes } from '../e2e/kube/fixture';
import { SETTLED_MS } from './freeze-samples';
import { type BenchOptions, wantedOf } from './options';
import { controllerRested } from './rested';
import type { BenchRow, Place } from './rows';
import { timesRow } from './table';

const VOLUMES = [1, 2, 5] as const;

const LIMIT_MS = 120_000;

interface Way {
  readonly name: string;
  readonly how: 'individually' | 'together';
  readonly direct: boolean;
  readonly method: 'CreateSnapshot' | 'CreateVolumeGroupSnapshot';
  /** The most that it may take over the driver's own time, by the number of volumes. */
  readonly targets: Readonly<Record<number, number>>;
}

const single = { how: 'individually', method: 'CreateSnapshot' } as const;
const WAYS: readonly Way[] = [
  { name: 'plain', direct: false, ...single, targets: { 1: 150 } },
  { name: 'direct', direct: true, ...single, targets: { 1: 50, 5: 2_000 } },
  { name: 'group', direct: false, how: 'together', method: 'CreateVolumeGroupSnapshot', targets: {} },
];

export async function* bench({ runs, parts }: BenchOptions): AsyncGenerator<BenchRow, void> {
  // No runner's image and no registry are needed here: only the name by which namespaces are found again.
  thisRun.is({ image: 'none', registry: uniqueName('bench') });
  await using space = await makeNamespace('cuts');
  await using kept = await makeRetainClass('VolumeSnapshotClass');
  await using group = await makeRetainClass('VolumeGroupSnapshotClass');
  const context = { client: await connect(), namespace: space.name, clock: systemClock, log: keptLog() };
  const classes = { className: kept.name, groupClassName: group.name };
  const wanted = wantedOf(
    parts,
    WAYS.map(({ name }) => name),
  );
  await controllerRested();
  for (const count of VOLUMES) {
    const names = Array.from({ length: count }, (_, index) => `of-${count}-${index}`);
    const volumes = await makeVolumes(space.name, names, { set: `of-${count}` });
    for (const way of WAYS.filter(({ name }) => wanted.includes(name))) {
      const store = new KubernetesSnapshots({ ...context, ...classes, direct: way.direct });
      await store.check(volumes, way.how);
      yield* await measured(store, way, volumes, runs);
    }
  }
}

async function measured(
  store: KubernetesSnapshots,
  way: Way,
  volumes: readonly Volume[],
  runs: number,
): Promise<BenchRow[]> {
  const samples: { readonly wholeMs: number; readonly driverMs: number }[] = [];
  for (let run = 0; run < runs; run++) {
    // The driver's sidecar makes as few requests a second as the controller: who comes at once after another cut waits for it.
    await pause(SETTLED_MS);
    const driver = await followDriverLog();
    const began = performance.now();
    const cuts = await store.cut(cutRequest(volumes, way.how), AbortSignal.timeout(LIMIT_MS));
    const wholeMs = performance.now() - began;
    samples.push({ wholeMs, driverMs: Math.max(...(await driver.durations(way.method))) });
    // What a direct cut becomes afterwards is the controller's work: left out, there is nothing to rest from.
    if (!way.direct) await store.ready(cuts, AbortSignal.timeout(LIMIT_MS));
  }
  const count = volumes.length;
  const line = `${count} ${count === 1 ? 'volume' : 'volumes'}`;
  const name = `cuts: ${way.name}, ${line}`;
  const at = (column: string): Place => ({ table: 'cuts', line, column: `${way.name}, ${column}` });
  const overMs = samples.map(({ wholeMs, driverMs }) => wholeMs - driverMs);
  const driverMs = samples.map((each) => each.driverMs);
  return [
    { ...timesRow(`${name}: over the driver's own time`, overMs, way.targets[count]), place: at('over the driver') },
    { ...timesRow(`${name}: the longest ${way.method}`, driverMs), place: at('driver') },
  ];
}
