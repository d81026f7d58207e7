/**
 * How backups are removed so that of two who do so at once none takes the last good one from under the other (safety rule
 * 10; docs/decisions/0045-removals-are-marked-first.md):
 *
 * 1. mark: the record says who is about to remove it. It still counts, and restores.
 * 2. look again: what others have marked counts as gone.
 * 3. commit, where it still may go: from here on its phase is `deleting`.
 *
 * Each step is a compare-and-swap. Of two, the one who looks later sees the other's marks; and who crashes after a mark has
 * removed nothing.
 */
import type { BackupRecord, Candidate, Policy, Verdict } from '../src/contract';
import { planRetention } from '../src/contract';
import { asStillpointError } from './errors';
import { recordPath } from './output/records';
import type { Registry, StoredRecord, UseMark } from './ports';

/** A record as the plan sees it. */
export interface StoredCandidate extends Candidate {
  readonly stored: StoredRecord;
}

/** How to look at the records. */
export interface Look {
  /** Whose marks do not count: one's own. Those of all when left out. */
  readonly holder?: string | undefined;
  /** Marks of users that are gone. */
  readonly staleUses?: readonly UseMark[] | undefined;
  /** The paths of those that are going to be removed together, and of those that the storage has lost: they count as gone. */
  readonly going?: ReadonlySet<string> | undefined;
}

/** The records as the plan sees them. */
export function candidatesOf(stored: readonly StoredRecord[], look: Look): readonly StoredCandidate[] {
  return stored.map((each) => ({
    stored: each,
    record: each.record,
    deletionAsked: each.deletionRequested,
    removalBegun: each.removalBegun === true,
    marked: look.holder !== undefined && isMarkedByOther(each.record, look.holder),
    usedBy: usersOf(each, look.staleUses),
  }));
}

/** What is to become of all records. */
export function plan(
  stored: readonly StoredRecord[],
  policies: readonly Policy[],
  now: Date,
  look: Look,
): readonly Verdict<StoredCandidate>[] {
  return planRetention(candidatesOf(stored, look), policies, now);
}

export function isMarkedByOther({ retention }: BackupRecord, holder: string): boolean {
  return retention?.markedBy !== undefined && retention.markedBy !== holder;
}

/** Who works with a backup, without those that are known to be gone. */
export function usersOf({ uses = [] }: StoredRecord, stale: readonly UseMark[] = []): readonly string[] {
  const gone = new Set(stale.map(({ token, written }) => `${token} ${written}`));
  return uses.filter(({ token, written }) => !gone.has(`${token} ${written}`)).map(({ what }) => what);
}

/** Step 1. Undefined when somebody else has changed the record: it is theirs, or has to be thought over again. */
export function mark(registry: Registry, stored: StoredRecord, holder: string): Promise<StoredRecord | undefined> {
  const { record } = stored;
  return unlessConflict(() =>
    registry.update(stored, { ...record, retention: { ...record.retention, markedBy: holder } }),
  );
}

/** Step 3. Undefined when somebody else has changed the record since it was marked. */
export function commit(registry: Registry, marked: StoredRecord): Promise<StoredRecord | undefined> {
  return unlessConflict(() => registry.update(marked, { ...marked.record, phase: 'deleting' }));
}

/** Takes a mark back: the backup stays. */
export async function withdraw(registry: Registry, marked: StoredRecord): Promise<void> {
  const { markedBy: _, ...retention } = marked.record.retention ?? {};
  await unlessConflict(() => registry.update(marked, { ...marked.record, retention }));
}

async function unlessConflict(change: () => Promise<StoredRecord>): Promise<StoredRecord | undefined> {
  try {
    return await change();
  } catch (thrown) {
    if (asStillpointError(thrown).code === 'record-conflict') return undefined;
    throw thrown;
  }
}

/** What a record is found by again in another list. */
export function pathOf({ record }: Pick<StoredRecord, 'record'>): string {
  return recordPath(record);
}
