/** Looks whether imported backups can still be restored: whoever took them may have deleted what they name. */
import { asStillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Finding, RecordFilter, Registry, StoredRecord } from '../ports';
import type { ImportedLook } from '../travel/site';

export interface ImportedContext {
  readonly registry: Registry;
  readonly look: ImportedLook;
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

async function lookAtAll(
  { look, signal }: ImportedContext,
  imported: readonly StoredRecord[],
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const queue = [...imported];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const missing = await look.missing(next.record, signal);
      if (missing.length > 0) findings.push(gone(recordPath(next.record), missing));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return findings.sort((one, other) => (one.subject < other.subject ? -1 : 1));
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
