/** One database of a dump of all. */
import { StillpointError } from '../../errors';
import type { Content } from '../../pipe/stages';
import { latin1, rewritten } from './script';

const CONNECT = '\\connect ';
/** What pg_dump writes after all of a database. Then comes what makes the next one. */
const COMPLETE = '-- PostgreSQL database dump complete';

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

/** What one database holds, without what makes the database itself; throws restore-failed when the dump has none of this name. */
export async function* databaseOf(content: Content, database: string): AsyncGenerator<Uint8Array, void> {
  const name = latin1(database);
  const state = { where: 'before' as 'before' | 'in' | 'after' };
  yield* rewritten(content, ({ bytes, line }) => {
    if (line?.startsWith(CONNECT)) {
      if (state.where === 'in') state.where = 'after';
      if (state.where === 'before' && connectsTo(line) === name) state.where = 'in';
      return undefined;
    }
    if (state.where === 'in' && line?.startsWith(COMPLETE)) state.where = 'after';
    return state.where === 'in' ? bytes : undefined;
  });
  if (state.where === 'before') {
    throw new StillpointError('restore-failed', `the dump holds no database "${database}"`, {
      hint: 'name one of the databases that were there when it was taken',
    });
  }
}
