/** What a command has done with backups, one after the other, as people and scripts read it. Pure. */
import { stringify } from 'yaml';
import type { BackupRecord } from '../../src/contract';
import { type Output, recordPath } from './records';

/** One of them: its record as it is now, or was last, and a line that says what became of it. */
export interface Told {
  readonly record: BackupRecord;
  readonly line: string;
}

/** Lines and names as they come; documents at the end: one of what was named alone, else a list. */
export async function* toldText(
  told: AsyncIterable<Told>,
  output: Output,
  { alone }: { readonly alone: boolean },
): AsyncGenerator<string> {
  if (output !== 'json' && output !== 'yaml') {
    for await (const { record, line } of told) yield output === 'name' ? `${recordPath(record)}\n` : line;
    return;
  }
  const records: BackupRecord[] = [];
  const failure = await gather(told, records);
  const document = alone ? records[0] : records;
  // What was done before it failed is told all the same.
  if (failure === undefined || records.length > 0) {
    yield output === 'json' ? `${JSON.stringify(document, null, 2)}\n` : stringify(document);
  }
  if (failure !== undefined) throw failure.thrown;
}

async function gather(
  told: AsyncIterable<Told>,
  records: BackupRecord[],
): Promise<{ readonly thrown: unknown } | undefined> {
  try {
    for await (const { record } of told) records.push(record);
    return undefined;
  } catch (thrown) {
    return { thrown };
  }
}
