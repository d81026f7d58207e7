/** What came of an import, as people and scripts read it. Pure: results in, text out. */
import { stringify } from 'yaml';
import type { ImportResult } from '../commands/import';
import { type Output, recordPath } from './records';

/** An import that has come to its end. */
export function formatImport({ record, already, warnings }: ImportResult, output: Output): string {
  const path = recordPath(record);
  if (output === 'name') return `${path}\n`;
  if (output === 'json') return `${JSON.stringify({ record, already, warnings }, null, 2)}\n`;
  if (output === 'yaml') return stringify({ record, already, warnings });
  if (already) {
    return `backup ${path} is there already, imported at ${record.imported?.at}; nothing was changed\n`;
  }
  return [
    `backup ${path} imported, with ${record.cuts.map(({ snapshot }) => `VolumeSnapshot ${snapshot}`).join(', ')}\n`,
    'What the storage holds stays that of the other cluster: it can be gone when that deletes it, and stays when this record is deleted.\n',
    `stillpoint restore ${path} --claim <name> --start\n`,
  ].join('');
}
