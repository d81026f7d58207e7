/** The numbers of a run as a page of the documentation: `npm run bench -- --write docs/numbers.md`. */
import type { Noise } from './machine';
import type { BenchRow } from './rows';

/** What stands above each table, by its name in the rows' places. */
const TABLES: Readonly<Record<string, { readonly title: string; readonly text: string }>> = {
  cuts: {
    title: 'From asking for snapshots to seeing every cut',
    text: 'Beyond what the driver itself took (its longest CreateSnapshot), for volumes that are cut at once; the snapshot controller has its production defaults and has rested.',
  },
  freezes: {
    title: 'How long a database is held, and what its clients see',
    text: 'A backup by a Job of its policy, while two clients write. The *freeze window* is from the hold taken to the database let go (where a mode holds nothing: from the first request for a snapshot); the *longest commit* is the longest that one write of a client took around it. On `disk-slow` the storage takes 0.5 s to cut, and 20 s more until a snapshot is ready.',
  },
  'other ways': {
    title: 'Beside other ways',
    text: 'Each in its plainest form, with its lock held on one session: that of many tutorials (`sleep 10`), and scripts that look at the snapshot every second. PostgreSQL is in backup mode meanwhile, which holds no write; MySQL and MariaDB under `FLUSH TABLES WITH READ LOCK`, Redis and Valkey under `CLIENT PAUSE … WRITE`, MongoDB under `fsyncLock`. *× ours*: the middle of theirs over the middle of ours, in the default mode, on the same server and storage, in the same run.',
  },
  many: {
    title: 'Many databases in the same minute',
    text: 'Each a Redis of its own, with a policy of its own; all Jobs are started at once.',
  },
};

/** What one run has printed: what it was asked for, what the machine was at, and the values. */
export interface BenchResult extends Noise {
  readonly benches: readonly string[];
  readonly runs: number;
  readonly rows: readonly BenchRow[];
}

/** The whole page, of one run or of several that could not be one: what is alone on the cluster has a run of its own. */
export function numbersPage(results: readonly BenchResult[]): string {
  const rows = lastOfEach(results.flatMap((result) => result.rows));
  const placed = Object.entries(TABLES).flatMap(([name, { title, text }]) => {
    const of = rows.filter(({ place }) => place?.table === name);
    return of.length === 0 ? [] : [`## ${title}`, text, pivot(of)];
  });
  const others = rows.filter(({ place }) => place === undefined || TABLES[place.table] === undefined);
  return `${[
    '# Numbers',
    'Measured by `npm run bench -- --write docs/numbers.md`, and not edited. Times are milliseconds unless a unit stands beside them: the middle of all runs, and in brackets the least and the most. What was measured again has its last values.',
    ...results.map(machineText),
    ...placed,
    ...(others.length === 0 ? [] : ['## All else', flat(others)]),
  ].join('\n\n')}\n`;
}

function machineText({ benches, runs, ...noise }: BenchResult): string {
  const percent = (part: number): string => `${Math.round(part * 100)} %`;
  return (
    `${benches.join(', ')}: ${noise.from.slice(0, 10)}, ${noise.cores} cores, ${noise.memoryGiB} GiB, Node ${noise.node}; ${runs} runs of each where nothing else is said. ` +
    `The cluster, its databases and their clients share the machine. It was busy for ${percent(noise.busy)} of the time, the bench included, and ${percent(noise.stolen)} were taken by ` +
    `other machines of its host; load ${noise.loadBefore.toFixed(1)} at the beginning, ${noise.loadAfter.toFixed(1)} at the end. Compare ratios, not machines.`
  );
}

/** Of what was measured more than once, the last values, where the first stood. */
function lastOfEach(rows: readonly BenchRow[]): readonly BenchRow[] {
  const last = new Map<string, BenchRow>();
  for (const row of rows) last.set(row.place === undefined ? row.name : Object.values(row.place).join(': '), row);
  return [...last.values()];
}

/** Rows of one table, by their lines and columns, each in the order in which it first came. */
function pivot(rows: readonly BenchRow[]): string {
  const columns = [...new Set(rows.map(({ place }) => place?.column ?? ''))];
  const lines = [...new Set(rows.map(({ place }) => place?.line ?? ''))];
  const cell = (line: string, column: string): string => {
    const row = rows.find(({ place }) => place?.line === line && place.column === column);
    return row === undefined ? '' : shown(row);
  };
  return markdown(
    ['', ...columns],
    lines.map((line) => [line, ...columns.map((column) => cell(line, column))]),
  );
}

function flat(rows: readonly BenchRow[]): string {
  return markdown(
    ['', 'measured', 'target'],
    rows.map((row) => [row.name, shown(row), row.target === undefined ? '' : `≤ ${row.target}${unitOf(row)}`]),
  );
}

function shown(row: BenchRow): string {
  const { value, spread } = row;
  const over = row.target !== undefined && value > row.target ? ', over its target' : '';
  return `${value}${unitOf(row)}${spread === undefined ? '' : ` (${spread[0]}–${spread[1]})`}${over}`;
}

function unitOf({ unit }: BenchRow): string {
  return unit === 'ms' || unit === '' ? '' : ` ${unit}`;
}

function markdown(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...body.map(line)].join('\n');
}
