/**
 * Looks whether imported backups can still be restored: whoever took them may have deleted what they name. What was found is written
 * into their records, since nobody asks the storage for the sake of a list.
 */
import { isLost } from '../../src/contract';
import { asStillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Clock, Finding, Log, RecordFilter, Registry, StoredRecord } from '../ports';
import type { ImportedLook } from '../travel/site';

export interface ImportedContext {
  readonly registry: Registry;
  readonly look: ImportedLook;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** How many are asked for at once. */
const AT_ONCE = 8;

/** What is wrong with the imported snapshots among some: a dump's store is asked by its restore alone; one finding when nothing is, none when there are none. */
export async function importedFindings(context: ImportedContext, filter: RecordFilter): Promise<readonly Finding[]> {
  try {
    const imported = await importedBackups(context.registry, filter);
    if (imported.length === 0) return [];
    const findings = await lookAtAll(context, imported);
    return findings.length > 0 ? findings : [sound(imported.length)];
  } catch (thrown) {
    context.signal.throwIfAborted();
    const { code, message, hint } = asStillpointError(thrown);
    const unasked = `the storage was not asked for them: ${message}`;
    return [{ severity: 'warning', code, subject: SUBJECT, message: unasked, hint }];
  }
}

const SUBJECT = 'imported backups';

async function importedBackups(registry: Registry, filter: RecordFilter): Promise<readonly StoredRecord[]> {
  const found = await registry.list({ ...filter, phases: ['succeeded'] });
  return found.filter(({ record: { imported, phase, mode } }) => imported && phase === 'succeeded' && mode !== 'dump');
}

async function lookAtAll(context: ImportedContext, imported: readonly StoredRecord[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const queue = [...imported];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const missing = await context.look.missing(next.record, context.signal);
      await writeDown(context, next, missing);
      if (missing.length > 0) findings.push(gone(recordPath(next.record), missing));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return findings.sort((one, other) => (one.subject < other.subject ? -1 : 1));
}

/** Only what has changed: each look would be a write of each record. Whoever may not write looks all the same. */
async function writeDown(
  { registry, clock, log }: ImportedContext,
  stored: StoredRecord,
  missing: readonly string[],
): Promise<void> {
  const { record } = stored;
  const { imported } = record;
  if (imported === undefined || isLost(record) === missing.length > 0) return;
  try {
    const look = { at: clock.now().toISOString(), missing: [...missing] };
    await registry.update(stored, { ...record, imported: { ...imported, look } });
  } catch (thrown) {
    const { code, message } = asStillpointError(thrown);
    log.warn({ backup: recordPath(record), code }, `what was found of it is not in its record: ${message}`);
  }
}

function gone(path: string, missing: readonly string[]): Finding {
  return {
    severity: 'warning',
    code: 'snapshot-missing',
    subject: `backup ${path}`,
    message: `imported backup ${path} cannot be restored: ${missing.join('; ')}`,
    hint: `ask the cluster that took it for another one; stillpoint delete ${path} removes the record`,
  };
}

function sound(count: number): Finding {
  const message =
    count === 1 ? 'what the one imported backup names is there' : `what ${count} imported backups name is there`;
  return { severity: 'ok', code: 'ok', subject: SUBJECT, message };
}
