/**
 * Keeps copies of the records of snapshot backups in a store, as exports that can be imported: what is on record and not there is
 * written, and what the prune before it has removed goes (docs/decisions/0087).
 */
import type { BackupRecord } from '../../src/contract';
import { asStillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Clock, Log, Registry } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { claimOwner, putYaml } from '../storage/texts';
import { exportedBackup, formatExport } from '../travel/document';
import { signed } from '../travel/signature';
import type { SnapshotSource } from '../travel/site';
import {
  assertOwnCopies,
  COPIES_OWNER,
  type CopiesOwner,
  type CopyOf,
  copyKey,
  storedCopies,
} from '../travel/stored-copies';

export interface CopyRecordsContext {
  readonly registry: Pick<Registry, 'get' | 'pages'>;
  /** The registry's namespace, and what tells it from another one of that name. */
  readonly owner: CopiesOwner;
  readonly store: ObjectStore;
  /** The backups that were just removed, as their paths: nothing else is evidence that a copy is one too many. */
  readonly gone: readonly string[];
  readonly source: SnapshotSource;
  readonly signKey?: { readonly pem: string; readonly file: string } | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly runnerVersion: string;
  readonly signal: AbortSignal;
}

/** What was done. */
export interface CopiedRecords {
  readonly written: readonly string[];
  readonly removed: readonly string[];
  /** Copies of backups that are not on record, and that nobody is known to have removed: they stay. */
  readonly unknown: readonly string[];
  /** What the next run writes then. A copy that was there when its record went was removed before that. */
  readonly failed: readonly string[];
  /** How many are left to the next run, since this one was at work for long enough. */
  readonly postponed: number;
}

/** So long one run writes: a prune that somebody asks for meanwhile is to come. */
const WRITES_FOR_MS = 300_000;

/**
 * Brings the copies up to date. Throws store-refused where they are another registry's: of one that was made anew under the old
 * name nothing is removed, since it knows of no backup that the lost one had.
 */
export async function copyRecords(context: CopyRecordsContext): Promise<CopiedRecords> {
  await ownStep(context);
  const { store, registry, signal, log } = context;
  const there = new Map<string, CopyOf>();
  for await (const copy of storedCopies(store, signal)) there.set(recordPath(copy), copy);
  const run = new Run(context);
  const until = context.clock.monotonic() + WRITES_FOR_MS;
  for await (const page of registry.pages({})) {
    for (const { record } of page) {
      const path = recordPath(record);
      if (there.delete(path) || !isCopied(record)) continue;
      if (context.clock.monotonic() < until) await run.write(record);
      else run.postpone();
    }
  }
  for (const copy of there.values()) await run.removeIfGone(copy);
  run.tellUnknown();
  const result = run.result();
  const { written, removed, unknown, failed, postponed } = result;
  const counts = { written: written.length, removed: removed.length, unknown: unknown.length, failed: failed.length };
  log.info({ ...counts, postponed }, 'copies of records were looked through');
  return result;
}

/** A dump has its record beside it. What has failed cannot be imported. */
function isCopied({ phase, mode, cuts }: BackupRecord): boolean {
  return phase === 'succeeded' && mode !== 'dump' && cuts.length > 0;
}

/** Whose the copies are: the first registry that keeps some there. */
async function ownStep({ store, owner, signal }: CopyRecordsContext): Promise<void> {
  assertOwnCopies(store, owner, await claimOwner(store, COPIES_OWNER, { ...owner }, signal));
}

class Run {
  readonly #context: CopyRecordsContext;
  readonly #written: string[] = [];
  readonly #removed: string[] = [];
  readonly #unknown: string[] = [];
  readonly #failed: string[] = [];
  #postponed = 0;

  constructor(context: CopyRecordsContext) {
    this.#context = context;
  }

  async write(record: BackupRecord): Promise<void> {
    await this.#tried(record, this.#written, async () => {
      const { source, clock, owner, runnerVersion, signKey, store, signal } = this.#context;
      const about = { at: clock.now(), registry: owner.registry, runnerVersion };
      const document = exportedBackup(record, await source.handles(record), about);
      const text = formatExport(signKey === undefined ? document : signed(document, signKey.pem, signKey.file));
      const key = copyKey(record);
      await putYaml(store, key, text, { signal, replace: true });
      // Whoever removed it meanwhile has removed its copy before: this one would be nobody's.
      const { namespace, database, id } = record;
      const now = await this.#context.registry.get(namespace, database, id);
      if (now?.record.phase === 'succeeded') return true;
      await store.delete([key], { signal });
      return false;
    });
  }

  postpone(): void {
    this.#postponed++;
  }

  /**
   * That a backup is not on record says nothing: a cluster whose state was put back to yesterday's knows of none since then, and
   * those are what the copies are for.
   */
  async removeIfGone(copy: CopyOf): Promise<void> {
    const { registry, store, signal } = this.#context;
    const { namespace, database, id } = copy;
    if (!this.#context.gone.includes(recordPath(copy))) {
      this.#unknown.push(recordPath(copy));
      return;
    }
    await this.#tried(copy, this.#removed, async () => {
      if ((await registry.get(namespace, database, id)) !== undefined) return false;
      await store.delete([copyKey(copy)], { signal });
      return true;
    });
  }

  tellUnknown(): void {
    if (this.#unknown.length === 0) return;
    this.#context.log.warn(
      { backups: this.#unknown.slice(0, 20), count: this.#unknown.length },
      'copies of backups that are not on record are kept: import them, or delete them from the store if they were deleted by hand',
    );
  }

  result(): CopiedRecords {
    return {
      written: this.#written,
      removed: this.#removed,
      unknown: this.#unknown,
      failed: this.#failed,
      postponed: this.#postponed,
    };
  }

  /** One that resists does not keep the others: a snapshot that is gone, a record that cannot be read. */
  async #tried(of: CopyOf, done: string[], work: () => Promise<unknown>): Promise<void> {
    const path = recordPath(of);
    try {
      if ((await work()) !== false) done.push(path);
    } catch (thrown) {
      this.#context.signal.throwIfAborted();
      const { code, message } = asStillpointError(thrown);
      this.#context.log.warn({ backup: path, code }, `the copy of its record is not up to date: ${message}`);
      // One whose snapshot nobody can name any more will never have a copy: that is no failure of each hour.
      if (code !== 'backup-not-restorable') this.#failed.push(path);
    }
  }
}
