/** One database of a dump of all. */
import { StillpointError } from '../../errors';
import type { Content } from '../../pipe/stages';
import { type Piece, Script } from './script';

const CONNECT = '\\connect ';
/** What pg_dump writes after all of a database. Then comes what makes the next one. */
const COMPLETE = '-- PostgreSQL database dump complete';

/** The pieces that are kept, in one for each chunk. */
async function* kept(content: Content, keeps: (piece: Piece) => boolean): AsyncGenerator<Uint8Array, void> {
  const script = new Script();
  for await (const chunk of content) {
    const bytes: Buffer[] = [];
    for (const piece of script.take(chunk)) if (keeps(piece)) bytes.push(piece.bytes);
    if (bytes.length > 0) yield Buffer.concat(bytes);
  }
  const rest = { bytes: script.rest };
  if (rest.bytes.length > 0 && keeps(rest)) yield rest.bytes;
}

/** The database that a `\connect` leads to, with names as pg_dump quotes them. Latin-1, as the line is. */
export function connectsTo(line: string): string | undefined {
  if (!line.startsWith(CONNECT)) return undefined;
  const argument = line.slice(CONNECT.length).trimEnd();
  const string = /^-reuse-previous=on "(.*)"$/.exec(argument)?.[1];
  if (string === undefined) return unquoted(argument);
  // A connection string in the quotes of an identifier, with a value in quotes of its own.
  const value = /^dbname=(?:'((?:[^'\\]|\\.)*)'|(\S+))$/.exec(string.replaceAll('""', '"'));
  return (value?.[1] ?? value?.[2])?.replaceAll(/\\(.)/g, '$1');
}

const unquoted = (name: string): string => (/^".*"$/s.test(name) ? name.slice(1, -1).replaceAll('""', '"') : name);

/** A name as the lines of a {@link Piece} have it. */
const latin1 = (name: string): string => Buffer.from(name).toString('latin1');

/** What one database holds, without what makes the database itself; throws restore-failed when the dump has none of this name. */
export async function* databaseOf(content: Content, database: string): AsyncGenerator<Uint8Array, void> {
  const name = latin1(database);
  const state = { where: 'before' as 'before' | 'in' | 'after' };
  yield* kept(content, ({ line }) => {
    if (line?.startsWith(CONNECT)) {
      if (state.where === 'in') state.where = 'after';
      if (state.where === 'before' && connectsTo(line) === name) state.where = 'in';
      return false;
    }
    if (state.where === 'in' && line?.startsWith(COMPLETE)) state.where = 'after';
    return state.where === 'in';
  });
  if (state.where === 'before') {
    throw new StillpointError('restore-failed', `the dump holds no database "${database}"`, {
      hint: 'name one of the databases that were there when it was taken',
    });
  }
}
