/** What speaks against the deletion of one backup (safety rule 10). Pure. */
import { type BackupRecord, isProtected, isVerified, ownsData } from '../src/contract';
import { StillpointError } from './errors';
import { recordPath } from './output/records';
import type { StoredRecord } from './ports';
import { isMarkedByOther, type Look, pathOf, usersOf } from './removal';

/**
 * Throws when a backup may not be deleted: it is protected, being used or needed, or the last good or verified one of its
 * database. `all` are the records of its database; whoever wants it deleted all the same is told `howElse`.
 */
export function refuseDeletion(
  stored: StoredRecord,
  all: readonly StoredRecord[],
  look: Look,
  howElse: string | undefined,
): void {
  const { record } = stored;
  const path = recordPath(record);
  const refuse = (why: string, hint: string): never => {
    throw new StillpointError('delete-refused', `backup ${path} ${why}`, { hint });
  };
  const [user] = usersOf(stored, look.staleUses);
  if (user !== undefined) {
    throw new StillpointError('backup-in-use', `backup ${path} is in use by ${user}`, {
      hint: 'wait until that has ended, or end it',
    });
  }
  if (isProtected(record)) {
    const why = record.retention?.protected === true ? 'is protected' : 'was taken before a deployment';
    refuse(`${why}, and not released`, `release it first: stillpoint release ${path}`);
  }
  const others = all.filter((other) => other.record.id !== record.id && counts(other, look));
  const dependant = others.find((other) => other.record.needs?.includes(record.id));
  if (dependant !== undefined) {
    refuse(`is needed by backup ${dependant.record.id}`, `delete that one first: ${recordPath(dependant.record)}`);
  }
  // One that was imported and stays in the storage can be imported again.
  if (record.phase !== 'succeeded' || !ownsData(record)) return;
  const allTheSame = howElse === undefined ? '' : `; or, to be rid of it all the same:\n    ${howElse}`;
  // What another cluster can delete any day does not stand in for a backup of our own.
  const standsIn = (other: BackupRecord): boolean => record.imported !== undefined || ownsData(other);
  const good = others.filter((other) => other.record.phase === 'succeeded' && standsIn(other.record));
  if (good.length === 0) {
    refuse('is the last good one of its database', `take another one first${allTheSame}`);
  }
  if (isVerified(record) && !good.some((other) => isVerified(other.record))) {
    refuse('is the last verified one of its database', `verify another one first${allTheSame}`);
  }
}

/** Whether a backup is there for good, as far as one can tell: nobody is about to remove it. */
function counts(stored: StoredRecord, { holder, going }: Look): boolean {
  const { record, deletionRequested } = stored;
  if (record.phase === 'deleting' || deletionRequested || going?.has(pathOf(stored)) === true) return false;
  return holder === undefined || !isMarkedByOther(record, holder);
}
