/** What came of an import, as people and scripts read it. Pure: results in, text out. */
import { stringify } from 'yaml';
import type { BackupRecord } from '../../src/contract';
import type { ImportResult } from '../commands/import';
import { type Output, recordPath } from './records';

/** Several imports: one that was named alone as itself, else a list. */
export function formatImports(
  results: readonly ImportResult[],
  output: Output,
  { alone }: { readonly alone: boolean },
): string {
  const [only] = results;
  if (alone && only !== undefined) return formatImport(only, output);
  if (output === 'json') return `${JSON.stringify(results, null, 2)}\n`;
  if (output === 'yaml') return stringify(results);
  return results.map((result) => formatImport(result, output)).join('');
}

/** An import that has come to its end. */
export function formatImport({ record, already, warnings }: ImportResult, output: Output): string {
  const path = recordPath(record);
  if (output === 'name') return `${path}\n`;
  if (output === 'json') return `${JSON.stringify({ record, already, warnings }, null, 2)}\n`;
  if (output === 'yaml') return stringify({ record, already, warnings });
  if (already) {
    return `backup ${path} is there already, imported at ${record.imported?.at}; nothing was changed\n`;
  }
  if (record.mode === 'dump') {
    return [
      `backup ${path} imported, with ${(record.objects ?? []).map(({ location }) => location).join(', ')}\n`,
      'What lies in the store stays that of the other cluster: it can be gone when that deletes it, and stays when this record is deleted.\n',
      'It is restored into a new server by a Job that is told of that store: see docs/dumps.md\n',
    ].join('');
  }
  return [
    `backup ${path} imported, with ${record.cuts.map(({ snapshot }) => `VolumeSnapshot ${snapshot}`).join(', ')}\n`,
    'What the storage holds stays that of the other cluster: it can be gone when that deletes it, and stays when this record is deleted.\n',
    `${restoreLine(record)}\n`,
  ].join('');
}

/** A line that works: of a file that nobody has signed no image was taken, and without its server's nothing starts. */
function restoreLine(record: BackupRecord): string {
  const { runnerImage, members = [record] } = record;
  const image = runnerImage === undefined ? ' --image <runner image>' : '';
  const start = members.some(({ workload }) => workload?.image !== undefined) ? ' --start' : '';
  return `stillpoint restore ${recordPath(record)} --claim <name>${image}${start}`;
}
