/** Which backups a person means: by their names, or all that have some labels. */
import { StillpointError } from './errors';
import { findRecord, type Latest } from './find-record';
import { recordPath } from './output/records';
import type { RecordFilter, Registry, StoredRecord } from './ports';

/** Each once, however it was named; those of a selector as the registry has them. Throws what findRecord throws. */
export async function chooseRecords(
  registry: Registry,
  names: readonly string[],
  filter: RecordFilter,
  latest?: Latest,
): Promise<readonly StoredRecord[]> {
  if (isBySelector(names, filter)) return await registry.list(filter);
  const found = new Map<string, StoredRecord>();
  for (const name of names) {
    const stored = await findRecord(registry, name, filter, latest);
    found.set(recordPath(stored.record), stored);
  }
  return [...found.values()];
}

/** Whether backups are chosen by labels instead of by names; as with kubectl it is one of the two. */
export function isBySelector(names: readonly string[], { selector }: RecordFilter): boolean {
  if (selector !== undefined && names.length > 0) {
    throw new StillpointError('usage-invalid', `backups are named or chosen by -l, not both: ${names.join(' ')}`, {
      hint: 'leave one of them out',
    });
  }
  if (selector === undefined && names.length === 0) {
    throw new StillpointError('usage-invalid', 'no backup is named', {
      hint: 'name one, or choose them by -l; stillpoint list shows which there are',
    });
  }
  return selector !== undefined;
}
