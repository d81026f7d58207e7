import type { BenchRow } from './rows';

/** Rows as people read them: what was measured, what it should be, and whether it is. */
export function table(rows: readonly BenchRow[]): string {
  const cells = [
    ['', 'measured', 'target', ''],
    ...rows.map(({ name, value, unit, target, spread }) => [
      name,
      `${value} ${unit}${spread === undefined ? '' : ` (${spread[0]} to ${spread[1]})`}`,
      target === undefined ? '' : `≤ ${target} ${unit}`,
      target === undefined ? '' : value <= target ? 'ok' : 'over',
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 1 || column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return `\n${cells.map(line).join('\n')}\n\n`;
}

/** The middle of some times, with the least and the most; a name says what they are of. */
export function timesRow(name: string, values: readonly number[], target?: number): BenchRow {
  const rounded = values.map(Math.round);
  return {
    name: `${name}, p50 of ${values.length}`,
    value: Math.round(median(values)),
    unit: 'ms',
    spread: [Math.min(...rounded), Math.max(...rounded)],
    ...(target === undefined ? {} : { target }),
  };
}

/** The middle of some values; the mean of the two in the middle where there is none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}
