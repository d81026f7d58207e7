/** The storage of the test cluster, a CSI driver with faults on demand: what it logs, and how it is made to misbehave. */
import { watch } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Anything, apply, KINDS, remove } from './cluster';
import { uniqueName } from './namespace';

const root = process.env.CLUSTER_ROOT ?? '/var/lib/test-cluster';
const faultsFile = join(root, 'disk', 'faults.json');

/** What the driver does to each CreateSnapshot: parameters of a class. */
export interface Faults {
  /** Milliseconds before the cut, inside CreateSnapshot. */
  readonly cutDelayMs?: number;
  /** Milliseconds after the cut, before CreateSnapshot answers. */
  readonly afterCutMs?: number;
  /** Milliseconds for which readyToUse stays false after the cut. */
  readonly readyDelayMs?: number;
  /** CreateSnapshot answers this error and cuts nothing. */
  readonly snapshotFail?: string;
  /** With snapshotFail: only the first calls of each name. */
  readonly failTimes?: number;
}

/** A class of snapshots whose storage misbehaves, gone when it is disposed of. Of a test's own: others notice nothing. */
export async function misbehavingClass(faults: Faults): Promise<AsyncDisposable & { readonly name: string }> {
  const name = uniqueName('e2e-faults');
  const parameters = Object.fromEntries(Object.entries(faults).map(([key, value]) => [key, `${value}`]));
  await apply([
    {
      ...KINDS.snapshotClass,
      metadata: { name },
      driver: 'disk.test',
      deletionPolicy: 'Delete',
      parameters,
    } as Anything,
  ]);
  return { name, [Symbol.asyncDispose]: () => remove(KINDS.snapshotClass, name) };
}

/** Ends the misbehaviour of all classes, of somebody who tried by hand. */
export async function behave(): Promise<void> {
  await rm(faultsFile, { force: true });
}

/** The snapshots that the storage itself has made since it was asked to watch; also those that were deleted since. */
export interface StorageWatch extends Disposable {
  /** Whether it has cut what a VolumeSnapshot of this UID asked for: the sidecar names it after that. */
  hasCut(uid: string): boolean;
}

/** Watches the folder that the driver keeps its snapshots in. */
export function watchStorage(): StorageWatch {
  const names = new Set<string>();
  const watcher = watch(join(root, 'disk', 'snapshots'), (_, name) => void names.add(`${name}`));
  return { hasCut: (uid) => names.has(`snap-${uid}.img`), [Symbol.dispose]: () => watcher.close() };
}

/** The driver's own log from here on. */
export interface DriverLog {
  /** How long each successful call of a method took, in milliseconds, in order. */
  durations(method: 'CreateSnapshot' | 'CreateVolumeGroupSnapshot'): Promise<readonly number[]>;
}

/** Marks the end of the driver's log; what comes after it can be asked for. */
export async function followDriverLog(): Promise<DriverLog> {
  const files = (await readdir(join(root, 'log'))).filter((name) => name.startsWith('disk-'));
  const marks = await Promise.all(
    files.map(async (name) => ({ file: join(root, 'log', name), from: (await stat(join(root, 'log', name))).size })),
  );
  return {
    durations: async (method) => {
      const texts = await Promise.all(
        marks.map(async ({ file, from }) => (await readFile(file)).subarray(from).toString()),
      );
      return texts.flatMap((text) => callsIn(text, method));
    },
  };
}

/** Lines look as `2026/11/21 04:00:00 CreateSnapshot 3ms err=<nil>`. */
function callsIn(text: string, method: string): readonly number[] {
  return text
    .split('\n')
    .map((line) => new RegExp(` ${method} (\\S+) err=<nil>$`).exec(line)?.[1])
    .filter((duration) => duration !== undefined)
    .map(goDurationMs);
}

/** Reads Go's notation of a duration, as `1m2.5s` or `3ms`. */
export function goDurationMs(text: string): number {
  const units: Readonly<Record<string, number>> = {
    h: 3_600_000,
    m: 60_000,
    s: 1000,
    ms: 1,
    µs: 1e-3,
    us: 1e-3,
    ns: 1e-6,
  };
  const parts = [...text.matchAll(/([\d.]+)(ms|µs|us|ns|h|m|s)/g)];
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ''] ?? Number.NaN), 0);
}
