import { type BackupRecord, backupIdTime, isLost, type Phase } from '../../src/contract';
import { databaseByDatabase, orderBy, phasesOf, type Sortable, type SortKey, type Status, statusOf } from '../listing';
import { jsonText, nameLine, summaryTable, type WideRow, wideRow, wideTable, yamlText } from '../output/listing';
import type { Output } from '../output/records';
import type { TableStyle } from '../output/table';
import type { Clock, RecordFilter, RecordSummary, Registry } from '../ports';

export interface ListOptions extends Omit<RecordFilter, 'phases'>, TableStyle {
  /** Only what is shown with one of these. */
  readonly statuses?: readonly Status[] | undefined;
  /** Only what was begun then or later. */
  readonly since?: Date | undefined;
  /** Only what was begun before. */
  readonly until?: Date | undefined;
  /** By database when left out. */
  readonly sortBy?: SortKey | undefined;
  readonly output: Output;
}

export interface ListContext {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Says on the side that there is nothing: what is printed stays empty for scripts. */
  readonly note: (text: string) => void;
}

/**
 * Lists backups by database, the newest first, or as asked. Records are read only where more is wanted of them than their
 * labels say, and then a page at a time: `json` and `yaml` are printed as they come unless another order is asked for.
 */
export async function* list(context: ListContext, options: ListOptions): AsyncGenerator<string> {
  const { output, sortBy = 'database' } = options;
  if (output === 'json') yield* jsonText(recordsInOrder(context, options));
  else if (output === 'yaml') yield* yamlText(recordsInOrder(context, options));
  else if (output === 'wide') yield* tableOf(await sorted(wideRows(context, options), sortBy), context, options);
  else if (sortBy === 'held') yield* tableOf(await sorted(wideRows(context, options), sortBy), context, options);
  else yield* tableOf(await sorted(summaries(context, options), sortBy), context, options);
}

function tableOf(
  rows: readonly RecordSummary[] | readonly WideRow[],
  { clock, note }: ListContext,
  options: ListOptions,
): readonly string[] {
  const { output, namespace, headers, colours } = options;
  if (rows.length === 0) {
    note(nothing(options));
    return [];
  }
  if (output === 'name') return rows.map(nameLine);
  const style = { namespaces: namespace === undefined, now: clock.now(), headers, colours };
  return [output === 'wide' ? wideTable(rows as readonly WideRow[], style) : summaryTable(rows, style)];
}

/** A name that was mistyped, or a filter, is not taken for a namespace that has no backups. */
function nothing({ namespace, database, selector, engine, statuses, since, until }: ListOptions): string {
  const of = database === undefined ? '' : ` of ${database}`;
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
  const narrowed = [selector, engine, statuses, since, until].some((each) => each !== undefined);
  return `No backups${of} found${where}${narrowed ? ', as they were asked for' : ''}.`;
}

async function* recordsInOrder(context: ListContext, options: ListOptions): AsyncGenerator<BackupRecord> {
  const { sortBy } = options;
  if (sortBy === undefined || sortBy === 'database') yield* databaseByDatabase(records(context, options));
  else yield* await sorted(records(context, options), sortBy);
}

async function* records({ registry }: ListContext, options: ListOptions): AsyncGenerator<readonly BackupRecord[]> {
  for await (const page of registry.pages(filterOf(options))) {
    yield page
      .map(({ record }) => record)
      .filter((record) => isOfTime(record, options) && isOfStatus(record.phase, isLost(record), options));
  }
}

async function* wideRows(context: ListContext, options: ListOptions): AsyncGenerator<readonly WideRow[]> {
  for await (const page of records(context, options)) yield page.map(wideRow);
}

async function* summaries({ registry }: ListContext, options: ListOptions): AsyncGenerator<readonly RecordSummary[]> {
  for await (const page of registry.summaries(filterOf(options))) {
    yield page.filter((summary) => isOfTime(summary, options) && isOfStatus(summary.phase, summary.missing, options));
  }
}

async function sorted<T extends Sortable>(pages: AsyncIterable<readonly T[]>, key: SortKey): Promise<readonly T[]> {
  const rows: T[] = [];
  for await (const page of pages) rows.push(...page);
  return rows.sort(orderBy(key));
}

function filterOf({ namespace, database, engine, statuses, selector }: ListOptions): RecordFilter {
  return { namespace, database, engine, phases: statuses && phasesOf(statuses), selector };
}

/** Which of those in a phase are missing, a registry does not choose by. */
function isOfStatus(phase: Phase, missing: boolean | undefined, { statuses }: ListOptions): boolean {
  return statuses === undefined || statuses.includes(statusOf({ phase, missing }));
}

function isOfTime({ id }: RecordSummary, { since, until }: ListOptions): boolean {
  const begun = backupIdTime(id);
  return (since === undefined || begun >= since) && (until === undefined || begun < until);
}
