/** Volumes → an archive in a store, and its manifest beside it: both, or nothing. */

import type { ManifestLine } from '../archive/manifest';
import { type ArchivedVolume, archiveOf } from '../archive/tar-writer';
import { asStillpointError, StillpointError } from '../errors';
import type { Sink } from '../pipe/dump';
import { Packing, type PackOptions, type Passed } from '../pipe/pack';
import { logProgress } from '../pipe/progress';
import type { Clock, Log } from '../ports';
import { Lines } from './lines';

export interface StoreFilesOptions extends PackOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** About how many plain bytes will come. */
  readonly expectedBytes?: number | undefined;
}

/** What lies on one volume. */
export interface CountedVolume {
  readonly name: string;
  /** Files, folders and links. */
  readonly entries: number;
  /** What the files hold. */
  readonly bytes: number;
}

/** What was stored. */
export interface StoredFiles<T> {
  readonly archive: Passed & { readonly stored: T };
  readonly manifest: Passed & { readonly stored: T };
  readonly volumes: readonly CountedVolume[];
  /** What was left out, as sentences: the first of them, and how many more there are. */
  readonly skipped: readonly string[];
}

/** As many of what was left out are told one by one. */
const TOLD_SKIPPED = 10;

/** Stores both at once. The first failure ends the other, and the sinks keep nothing of either. */
export async function storeFiles<T>(
  volumes: readonly ArchivedVolume[],
  sinks: { readonly archive: Sink<T>; readonly manifest: Sink<T> },
  options: StoreFilesOptions,
): Promise<StoredFiles<T>> {
  const broken = new AbortController();
  const signal = AbortSignal.any([options.signal, broken.signal]);
  const [archive, manifest] = [new Packing(), new Packing()];
  const lines = new Lines();
  const count = new Count(volumes.map(({ name }) => name));
  using _ = logProgress(options, 'copying files', () => archive.plainBytes, options.expectedBytes);
  async function* files(): AsyncGenerator<Uint8Array, void> {
    const content = archiveOf(volumes, (line) => {
      count.add(line);
      lines.add(line);
    });
    for await (const chunk of content) {
      signal.throwIfAborted();
      yield chunk;
    }
  }
  async function ended(work: Promise<T>, packing: Packing, what: string): Promise<Passed & { readonly stored: T }> {
    try {
      const result = await work;
      if (!packing.whole) throw new StillpointError('stream-broken', `the ${what} was not taken to its end`);
      return { ...packing.passed(), stored: result };
    } catch (thrown) {
      broken.abort(asStillpointError(thrown));
      throw thrown;
    }
  }
  const archived = ended(sinks.archive(archive.of(files(), options), signal), archive, 'archive');
  // Only what the store has confirmed has a manifest.
  archived.then(
    () => lines.end(),
    (thrown: unknown) => lines.end(thrown),
  );
  const listed = ended(sinks.manifest(manifest.of(lines.content(), options), signal), manifest, 'manifest');
  const [first, second] = await Promise.allSettled([archived, listed]);
  options.signal.throwIfAborted();
  // The first failure is the cause; what it has ended fails after it.
  if (first.status === 'rejected' || second.status === 'rejected') throw broken.signal.reason;
  return { archive: first.value, manifest: second.value, volumes: count.volumes, skipped: count.skipped };
}

/** Counts what goes by. */
class Count {
  readonly #volumes: Map<string, { entries: number; bytes: number }>;
  readonly #told: string[] = [];
  #more = 0;

  constructor(names: readonly string[]) {
    this.#volumes = new Map(names.map((name) => [name, { entries: 0, bytes: 0 }]));
  }

  add(line: ManifestLine): void {
    if ('skipped' in line) {
      if (this.#told.length < TOLD_SKIPPED) this.#told.push(`${line.path} is not in the copy: it is ${line.skipped}`);
      else this.#more += 1;
      return;
    }
    const of = this.#volumes.get(line.path.split('/')[0] ?? '');
    if (of === undefined) return;
    of.entries += 1;
    of.bytes += line.size;
  }

  get volumes(): readonly CountedVolume[] {
    return [...this.#volumes].map(([name, counted]) => ({ name, ...counted }));
  }

  get skipped(): readonly string[] {
    const more = this.#more === 0 ? [] : [`${this.#more} more are not in the copy: its manifest names them`];
    return [...this.#told, ...more];
  }
}
