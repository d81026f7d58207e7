/** Removes what no retention keeps, and finishes what others have begun to remove. */
import type { Policy, Verdict } from '../../src/contract';
import { byDatabase } from '../by-database';
import { asStillpointError } from '../errors';
import type { Handover } from '../handover';
import { recordPath } from '../output/records';
import type { Clock, Log, Policies, RecordFilter, Registry, Remover, StoredRecord, UseMark, Uses } from '../ports';
import { commit, isMarkedByOther, mark, pathOf, plan, type StoredCandidate, withdraw } from '../removal';
import { removeBackup } from './delete';

export interface PruneContext {
  readonly registry: Registry;
  readonly policies: Policies;
  readonly uses: Pick<Uses, 'stale'>;
  readonly remover: Remover;
  readonly clock: Clock;
  readonly log: Log;
  /** What no other prune is called at the same time: records are marked with it. */
  readonly holder: string;
  /** Who takes the records away where copies of them are kept in a store, and this prune does not reach it. */
  readonly handover?: Handover | undefined;
}

/** What a prune did. */
export interface PruneResult {
  /** Backups that are gone with all that belonged to them. */
  readonly removed: readonly string[];
  /** Backups of which an attempt had left something that is gone now; their records stay. */
  readonly cleaned: readonly string[];
  /** What could not be removed: the next prune tries again. */
  readonly left: readonly string[];
}

/** What a prune would do now, with every reason. */
export async function planPrune(
  { registry, policies, clock }: Pick<PruneContext, 'registry' | 'policies' | 'clock'>,
  filter: RecordFilter = {},
): Promise<readonly Verdict<StoredCandidate>[]> {
  const known = await policies.list();
  return plan(await registry.list(filter), known, clock.now(), {});
}

/**
 * Removes what its policy's retention does not keep, and finishes deletions: records whose deletion somebody asked for
 * (kubectl delete), records in phase `deleting`, and what failed backups could not remove themselves.
 */
export async function prune(context: PruneContext, filter: RecordFilter = {}): Promise<PruneResult> {
  const run = new Prune(context, filter);
  await run.removeStep(await run.decideStep());
  await run.leftoversStep();
  await run.forgetStep();
  return run.result();
}

class Prune {
  readonly #context: PruneContext;
  readonly #filter: RecordFilter;
  readonly #removed: string[] = [];
  readonly #cleaned: string[] = [];
  readonly #left: string[] = [];
  /** Marks of users that are gone: they keep nothing. */
  #staleUses: readonly UseMark[] = [];
  /** Those that somebody else had marked when this prune began. */
  #markedBefore: readonly StoredRecord[] = [];

  constructor(context: PruneContext, filter: RecordFilter) {
    this.#context = context;
    this.#filter = filter;
  }

  /**
   * Which records go: marked, looked at again, and committed (removal.ts). One whose deletion was asked for counts as gone
   * already, and needs no mark. Newest first: what is needed goes last.
   */
  async decideStep(): Promise<readonly StoredRecord[]> {
    const { registry, policies } = this.#context;
    const known = await policies.list();
    const stored = await registry.list(this.#filter);
    this.#markedBefore = stored.filter((each) => isMarkedByOther(each.record, this.#context.holder) && needsMark(each));
    await this.#staleStep(stored, known);
    const going = this.#goingOf(stored, known, undefined);
    const begun = going.filter(({ removalBegun }) => removalBegun === true);
    if (begun.length === going.length) return begun;
    const marked = await this.#mark(going.filter((each) => needsMark(each)));
    const again = this.#goingOf(await registry.list(this.#filter), known, this.#context.holder);
    await this.#withdraw(marked, new Set(again.map(pathOf)));
    return [...begun, ...(await this.#commit(marked, again))].sort(newestFirst);
  }

  /** Where nothing but being in use keeps a backup, whoever uses it has to be at work still. */
  async #staleStep(stored: readonly StoredRecord[], policies: readonly Policy[]): Promise<void> {
    const { clock, uses } = this.#context;
    const usedAlone = plan(stored, policies, clock.now(), {}).filter(
      ({ keep, reasons }) => keep && reasons.every(({ rule }) => rule === 'in-use'),
    );
    const stale = await Promise.all(usedAlone.map(({ candidate }) => uses.stale(candidate.stored)));
    this.#staleUses = stale.flat();
  }

  #goingOf(
    stored: readonly StoredRecord[],
    policies: readonly Policy[],
    holder: string | undefined,
  ): readonly StoredRecord[] {
    const { clock } = this.#context;
    return plan(stored, policies, clock.now(), { holder, staleUses: this.#staleUses })
      .filter(({ keep }) => !keep)
      .map(({ candidate }) => candidate.stored);
  }

  async #mark(going: readonly StoredRecord[]): Promise<ReadonlyMap<string, StoredRecord>> {
    const { registry, holder } = this.#context;
    const marked = new Map<string, StoredRecord>();
    for (const stored of going) {
      const found = await this.#tried(stored, () => mark(registry, stored, holder));
      if (found !== undefined) marked.set(pathOf(found), found);
    }
    return marked;
  }

  async #withdraw(marked: ReadonlyMap<string, StoredRecord>, still: ReadonlySet<string>): Promise<void> {
    const { registry, log } = this.#context;
    for (const [path, stored] of marked) {
      if (still.has(path)) continue;
      log.info({ backup: path }, 'kept after all: something has changed since it was marked');
      await this.#tried(stored, () => withdraw(registry, stored));
    }
  }

  async #commit(
    marked: ReadonlyMap<string, StoredRecord>,
    again: readonly StoredRecord[],
  ): Promise<readonly StoredRecord[]> {
    const { registry } = this.#context;
    const committed: StoredRecord[] = [];
    for (const stored of again) {
      // As it was when it was marked: whatever has been changed since is a conflict.
      const mine = needsMark(stored) ? marked.get(pathOf(stored)) : stored;
      if (mine === undefined || mine.removalBegun === true) continue;
      const found = await this.#tried(mine, () => commit(registry, mine));
      if (found !== undefined) committed.push(found);
    }
    return committed;
  }

  async removeStep(going: readonly StoredRecord[]): Promise<void> {
    await byDatabase(going, async (stored) => {
      await this.#tried(stored, async () => {
        const { handedOver } = await removeBackup(this.#context, stored);
        if (!handedOver) this.#removed.push(pathOf(stored));
      });
    });
    for await (const { stored, stays } of this.#context.handover?.outcome() ?? []) {
      (stays === undefined ? this.#removed : this.#left).push(pathOf(stored));
      if (stays !== undefined)
        this.#context.log.error({ backup: pathOf(stored) }, `its record is still there: ${stays}`);
    }
  }

  /** What an attempt that failed has left behind, of backups whose records stay. */
  async leftoversStep(): Promise<void> {
    const { registry, remover } = this.#context;
    await byDatabase((await registry.list(this.#filter)).filter(hasLeftovers), async (stored) => {
      await this.#tried(stored, async () => {
        if (!(await this.#isUnchanged(stored))) return;
        const failed = stored.record.phase === 'failed';
        const remaining = failed ? await remover.remove(stored) : await remover.removeLeftovers(stored);
        await registry.update(stored, { ...stored.record, leftovers: remaining });
        (remaining.length === 0 ? this.#cleaned : this.#left).push(pathOf(stored));
      });
    });
  }

  /**
   * Takes away the marks of those who never came back. Should one be at work after all, its commit fails, and nothing is
   * removed that it has not looked at again.
   */
  async forgetStep(): Promise<void> {
    const { registry } = this.#context;
    for (const stored of this.#markedBefore) await this.#tried(stored, () => withdraw(registry, stored));
  }

  result(): PruneResult {
    const result = { removed: this.#removed, cleaned: this.#cleaned, left: this.#left };
    this.#context.log.info(result, 'prune done');
    return result;
  }

  /** One record that resists does not keep the others. */
  async #tried<T>(stored: StoredRecord, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      // Somebody else is at work on it, and does what there is to do.
      if (code === 'record-conflict') return undefined;
      this.#context.log.error({ backup: recordPath(stored.record), code }, message);
      this.#left.push(recordPath(stored.record));
      return undefined;
    }
  }

  /**
   * Pruning the records before this one may have taken minutes, and meanwhile the Job's next pod may have begun a failed
   * backup again, under the same names: then nothing of it is left over any more. From its record's change to its first
   * snapshot that pod runs all checks, so what was unchanged a moment ago has no new snapshots yet.
   */
  async #isUnchanged({ record, version }: StoredRecord): Promise<boolean> {
    const { namespace, database, id } = record;
    return (await this.#context.registry.get(namespace, database, id))?.version === version;
  }
}

function needsMark({ deletionRequested, removalBegun }: StoredRecord): boolean {
  return !deletionRequested && removalBegun !== true;
}

function newestFirst(one: StoredRecord, other: StoredRecord): number {
  return one.record.id < other.record.id ? 1 : one.record.id > other.record.id ? -1 : 0;
}

function hasLeftovers({ record }: StoredRecord): boolean {
  const ended = record.phase === 'failed' || record.phase === 'succeeded';
  return ended && (record.leftovers?.length ?? 0) > 0;
}
