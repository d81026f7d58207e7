/** What neo4j-admin says of backup files, and the chains that they make. Pure. */
import { StillpointError } from '../../../errors';

/** One file of a backup. */
export interface Artifact {
  readonly file: string;
  readonly database: string;
  readonly databaseId: string;
  readonly full: boolean;
  readonly lowest: number;
  readonly highest: number;
  /** Whether its store has all that its transaction logs say; undefined of tools before 2025.06, which do not say. */
  readonly recovered?: boolean | undefined;
}

/** Reads the table of `inspect`: its columns by their names, of which later versions have more. Throws tool-failed. */
export function artifactsIn(output: string): readonly Artifact[] {
  const rows = output.split('\n').filter((row) => row.trimStart().startsWith('|'));
  const [head, ...body] = rows.map(cellsOf);
  if (head === undefined) return [];
  const cell = (row: readonly string[], column: string): string => {
    const value = row[head.indexOf(column)];
    if (value !== undefined) return value;
    throw new StillpointError('tool-failed', `neo4j-admin's table of backups has no column ${column}`);
  };
  const has = head.includes('RECOVERED');
  return body.map((row) => ({
    file: cell(row, 'FILE').replace(/^file:\/\/(?=\/)/, ''),
    database: cell(row, 'DATABASE').toLowerCase(),
    databaseId: cell(row, 'DATABASE ID'),
    full: cell(row, 'FULL') === 'true',
    lowest: Number(cell(row, 'LOWEST TX')),
    highest: Number(cell(row, 'HIGHEST TX')),
    ...(has ? { recovered: cell(row, 'RECOVERED') === 'true' } : {}),
  }));
}

function cellsOf(row: string): readonly string[] {
  return row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** A differential file that nothing had been written since: it has no transactions. */
export function isEmpty({ full, lowest, highest }: Artifact): boolean {
  return !full && lowest === 0 && highest === 0;
}

/**
 * All that a file needs to be restored, the full one first. Throws stream-broken where one is missing in between. `all` is everything that lies with it.
 */
export function chainOf(last: Artifact, all: readonly Artifact[]): readonly Artifact[] {
  if (last.full) return [last];
  const of = all.filter(({ databaseId, file }) => databaseId === last.databaseId && file !== last.file);
  // By the end of what it holds; an empty one holds nothing that would be missed.
  const wanted = isEmpty(last)
    ? Math.max(0, ...of.filter(isBefore(last)).map(({ highest }) => highest))
    : last.lowest - 1;
  const previous = of
    .filter((each) => !isEmpty(each) && each.highest === wanted && isBefore(last)(each))
    // Of two that end there, the full one makes the shorter chain.
    .toSorted((a, b) => Number(b.full) - Number(a.full))[0];
  if (previous === undefined) {
    throw new StillpointError(
      'stream-broken',
      `${last.file} needs a backup up to transaction ${wanted}, and none is there`,
      {
        hint: 'take a full backup, and look who removes files beside Stillpoint',
      },
    );
  }
  return [...chainOf(previous, of), last];
}

/** Names end with their time, which sorts. */
function isBefore(last: Artifact): (each: Artifact) => boolean {
  return (each) => each.file < last.file;
}
