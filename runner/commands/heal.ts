/** Undoes at once what a runner that is gone has left in force at a database, without waiting for the next backup. */
import { leaseName } from '../../src/contract';
import { asStillpointError } from '../errors';
import type { Finding, Lease, Locks, StoredRecord } from '../ports';
import { heldRecords, isNotUndone, type NotUndone, type UndoHeldContext, type Undone, undoHeldOf } from './undo-held';

export interface HealContext extends UndoHeldContext {
  readonly locks: Locks;
  /** Who takes the database's Lease. */
  readonly holder: string;
}

/** The one line that a heal fails by: the findings with their reasons stand above it. */
export function notHealed(errors: number): string {
  return errors === 1 ? 'what one backup may hold is not undone' : `what ${errors} backups may hold is not undone`;
}

/** What was undone of each backup, and what could not be. */
export async function heal(context: HealContext): Promise<readonly Finding[]> {
  const subject = `database ${context.namespace}/${context.config.spec.database}`;
  try {
    const held = await heldRecords(context);
    if (held.length === 0) return [{ severity: 'ok', code: 'ok', subject, message: 'nothing is held' }];
    const findings: Finding[] = [];
    for (const stored of held) findings.push(asFinding(await healOne(context, stored)));
    return findings;
  } catch (thrown) {
    const { code, message, hint } = asStillpointError(thrown);
    return [{ severity: 'error', code, subject, message, hint }];
  }
}

/**
 * A runner that is seen to be gone is not waited for. Any other one is at work as long as it renews the Lease: then this
 * throws backup-in-progress, and its freeze is left alone.
 */
async function healOne(context: HealContext, stored: StoredRecord): Promise<Undone | NotUndone> {
  const { runners, locks, config, holder } = context;
  const { pod } = stored.record.owner;
  const isGone = pod !== undefined && (await runners?.isGone(pod)) === true;
  const lease: Lease | undefined = isGone ? undefined : await locks.acquire(leaseName(config.spec.database), holder);
  try {
    return await undoHeldOf(context, stored, 'heal');
  } finally {
    await lease?.release();
  }
}

function asFinding(result: Undone | NotUndone): Finding {
  const { namespace, database, id } = result.record;
  const subject = `backup ${namespace}/${database}/${id}`;
  if (isNotUndone(result)) {
    const { code, message, hint } = result.error;
    return { severity: 'error', code, subject, message, hint };
  }
  const { by, done } = result.undone;
  const said = done.length === 0 ? 'nothing was held any more' : done.join('; ');
  return { severity: 'ok', code: 'ok', subject, message: by === 'guard' ? `its guard had undone it: ${said}` : said };
}
