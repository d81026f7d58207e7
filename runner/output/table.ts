/** Columns as kubectl prints them: left-aligned, three spaces apart, no lines. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
}

/** A table with a heading, ending with a newline. Empty cells show as `<none>`. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ value }) => (value(row) === '' ? '<none>' : value(row)))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  return cells.map((line) => `${padded(line, widths)}\n`).join('');
}

/** Lines of `Name:   value`, aligned; a value of several lines goes on under its first. */
export function fields(entries: readonly (readonly [name: string, value: string])[], indent = ''): string {
  const width = Math.max(...entries.map(([name]) => name.length)) + 3;
  return entries
    .map(([name, value]) => {
      const [first = '', ...rest] = (value === '' ? '<none>' : value).split('\n');
      const more = rest.map((line) => `${indent}${' '.repeat(width)}${line}\n`).join('');
      return `${indent}${`${name}:`.padEnd(width)}${first}\n${more}`;
    })
    .join('');
}

function padded(line: readonly string[], widths: readonly number[]): string {
  return line.map((cell, index) => (index === line.length - 1 ? cell : cell.padEnd((widths[index] ?? 0) + 3))).join('');
}
