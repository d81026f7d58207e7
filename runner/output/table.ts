import { styleText } from 'node:util';

/** A colour that a cell may have. */
export type Colour = 'green' | 'red' | 'yellow' | 'gray';

/** Columns as kubectl prints them: left-aligned, three spaces apart, no lines. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  /** Its colour, where there are colours. */
  readonly colour?: ((row: T) => Colour | undefined) | undefined;
}

/** How a table is printed. */
export interface TableStyle {
  /** @default true */
  readonly headers?: boolean | undefined;
  /** Only for terminals. @default false */
  readonly colours?: boolean | undefined;
}

/** A table with a heading, ending with a newline. Empty cells show as `<none>`. */
export function table<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  { headers = true, colours = false }: TableStyle = {},
): string {
  const cells = rows.map((row) => columns.map(({ value }) => (value(row) === '' ? '<none>' : value(row))));
  const heading = headers ? [columns.map(({ title }) => title)] : [];
  const widths = columns.map((_, index) =>
    [...heading, ...cells].reduce((width, line) => Math.max(width, line[index]?.length ?? 0), 0),
  );
  const paint = (row: number) => (text: string, column: number) => {
    const [of, colour] = [rows[row], columns[column]?.colour];
    return colours && of !== undefined && colour !== undefined ? painted(text, colour(of)) : text;
  };
  return [...heading.map((line) => padded(line, widths)), ...cells.map((line, row) => padded(line, widths, paint(row)))]
    .map((line) => `${line}\n`)
    .join('');
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

/** Whether there are colours was decided by who knows the terminal. */
function painted(text: string, colour: Colour | undefined): string {
  return colour === undefined ? text : styleText(colour, text, { validateStream: false });
}

function padded(
  line: readonly string[],
  widths: readonly number[],
  paint: (text: string, column: number) => string = (text) => text,
): string {
  return line
    .map((cell, index) => {
      const gap = index === line.length - 1 ? 0 : (widths[index] ?? 0) + 3 - cell.length;
      return `${paint(cell, index)}${' '.repeat(gap)}`;
    })
    .join('');
}
