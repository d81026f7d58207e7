/** Lists of backups as people and scripts read them. Pure: rows in, text out. */
import { stringify } from 'yaml';
import { type BackupRecord, backupIdTime, isLost } from '../../src/contract';
import { type Status, statusOf } from '../listing';
import type { RecordSummary } from '../ports';
import { age } from './duration';
import { heldText, kindOf, recordPath } from './records';
import { bytesText } from './size';
import { type Colour, type Column, type TableStyle, table } from './table';

/** A line of a wide table: what is kept of a record, however large that is. */
export interface WideRow extends RecordSummary {
  readonly freezeWindowMs: number | undefined;
  readonly kind: string;
  readonly held: string;
  readonly layout: string;
  readonly version: string;
  readonly snapshots: string;
  readonly location: string;
  readonly size: string;
  readonly error: string;
}

/** What a wide table shows of a record. */
export function wideRow(record: BackupRecord): WideRow {
  const { namespace, database, id, engine, phase, trigger, freezeWindowMs, layout, serverVersion, error } = record;
  const { cuts, objects = [] } = record;
  return {
    ...{ namespace, database, id, engine, phase, trigger, freezeWindowMs },
    ...(isLost(record) ? { missing: true } : {}),
    kind: kindOf(record),
    held: heldText(record),
    layout: layout ?? '',
    version: serverVersion ?? '',
    snapshots: cuts.map(({ snapshot }) => snapshot).join(','),
    location: objects.map(({ location }) => location).join(','),
    size: objects.length === 0 ? '' : bytesText(objects.reduce((sum, { bytes }) => sum + bytes, 0)),
    error: error?.code ?? '',
  };
}

/** How a list is printed. */
export interface ListStyle extends TableStyle {
  /** Whether the rows may be of several namespaces. */
  readonly namespaces: boolean;
  readonly now: Date;
}

/** The table of `-o table`. */
export function summaryTable(rows: readonly RecordSummary[], style: ListStyle): string {
  return table(columns(style), rows, style);
}

/** The table of `-o wide`. */
export function wideTable(rows: readonly WideRow[], style: ListStyle): string {
  return table<WideRow>([...columns(style), ...WIDE], rows, style);
}

/** `-o name`: what a backup is called on the command line. */
export function nameLine(row: RecordSummary): string {
  return `${recordPath(row)}\n`;
}

/** Records as one JSON array, as they come. */
export async function* jsonText(records: AsyncIterable<BackupRecord>): AsyncGenerator<string> {
  let first = true;
  for await (const record of records) {
    const text = JSON.stringify(record, null, 2).replaceAll('\n', '\n  ');
    yield `${first ? '[' : ','}\n  ${text}`;
    first = false;
  }
  yield first ? '[]\n' : '\n]\n';
}

/** Records as one YAML list, as they come. */
export async function* yamlText(records: AsyncIterable<BackupRecord>): AsyncGenerator<string> {
  let none = true;
  for await (const record of records) {
    yield stringify([record]);
    none = false;
  }
  if (none) yield '[]\n';
}

function columns({ namespaces, now }: ListStyle): readonly Column<RecordSummary>[] {
  return [
    ...(namespaces ? [{ title: 'NAMESPACE', value: ({ namespace }: RecordSummary) => namespace }] : []),
    { title: 'DATABASE', value: ({ database }) => database },
    { title: 'BACKUP', value: ({ id }) => id },
    {
      title: 'STATUS',
      value: statusOf,
      colour: (row) => COLOURS[statusOf(row)],
    },
    { title: 'ENGINE', value: ({ engine }) => engine },
    { title: 'TRIGGER', value: ({ trigger }) => trigger },
    { title: 'AGE', value: ({ id }) => age(backupIdTime(id), now) },
  ];
}

const WIDE: readonly Column<WideRow>[] = [
  { title: 'KIND', value: ({ kind }) => kind },
  { title: 'HELD', value: ({ held }) => held },
  { title: 'LAYOUT', value: ({ layout }) => layout },
  { title: 'VERSION', value: ({ version }) => version },
  { title: 'SNAPSHOTS', value: ({ snapshots }) => snapshots },
  { title: 'LOCATION', value: ({ location }) => location },
  { title: 'SIZE', value: ({ size }) => size },
  { title: 'ERROR', value: ({ error }) => error },
];

const COLOURS: Readonly<Record<Status, Colour>> = {
  pending: 'yellow',
  freezing: 'yellow',
  cut: 'yellow',
  succeeded: 'green',
  failed: 'red',
  deleting: 'gray',
  missing: 'red',
};
