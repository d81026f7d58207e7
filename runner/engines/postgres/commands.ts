/**
 * What of a dump reaches psql as a command of psql. A dump may be forged, and some commands start programs (`\!`), in a pod that has
 * the keys of the store: so a dump connects to databases and does nothing else.
 */
import { randomBytes } from 'node:crypto';
import { StillpointError } from '../../errors';
import type { Content } from '../../pipe/stages';
import { type Piece, rewritten } from './script';
import { connectsTo } from './select';

/** The first release of each series whose psql knows `\restrict` (CVE-2025-8714). */
const RESTRICTS: Readonly<Record<number, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 };

/** Whether a psql can be told to run no commands; by what it says of its version. */
export function restricts(psqlSays: string): boolean {
  const [, major, minor] = /\(PostgreSQL\) (\d+)(?:\.(\d+))?/.exec(psqlSays) ?? [];
  if (major === undefined) return false;
  const least = RESTRICTS[Number(major)];
  return least === undefined ? Number(major) > 17 : Number(minor ?? -1) >= least;
}

/**
 * The dump without psql's own commands, apart from those that connect to a database, which are written anew: a name that is taken
 * byte for byte, and no host. Throws restore-failed where it holds another one. Where psql can be `restricted`, it is, by a key that no dump can know: then nothing
 * depends on whether a string is taken for what psql takes it for.
 */
export async function* withoutCommands(content: Content, restricted: boolean): AsyncGenerator<Uint8Array, void> {
  const key = restricted ? randomBytes(24).toString('hex') : undefined;
  const [lock, unlock] = key === undefined ? ['', ''] : [`\\restrict ${key}\n`, `\\unrestrict ${key}\n`];
  if (lock !== '') yield Buffer.from(lock);
  yield* rewritten(content, (piece) => allowed(piece, lock, unlock));
}

function allowed({ bytes, line, commands }: Piece, lock: string, unlock: string): Buffer {
  if (line?.startsWith('\\') === true) return ofDump(line, lock, unlock);
  if (commands === undefined) return bytes;
  throw refused(commands);
}

/** One of the commands that a dump has. */
function ofDump(line: string, lock: string, unlock: string): Buffer {
  // The dump's own, by a key that whoever made it knows.
  if (/^\\(un)?restrict [0-9A-Za-z]+\r?\n?$/.test(line)) return Buffer.alloc(0);
  // Before it connects to a name that is not plain: so that psql takes the bytes of that as they are (since CVE-2025-1094).
  if (/^\\encoding SQL_ASCII\r?\n?$/.test(line)) return Buffer.from(`${unlock}\\encoding SQL_ASCII\n${lock}`, 'latin1');
  const database = connectsTo(line);
  if (database === undefined) throw refused(line);
  const value = `dbname='${database.replaceAll(/[\\']/g, '\\$&')}'`;
  const connect = `\\connect -reuse-previous=on "${value.replaceAll('"', '""')}"\n`;
  return Buffer.from(`${unlock}${connect}${lock}`, 'latin1');
}

function refused(command: string): StillpointError {
  const name = /^\\[A-Za-z]{1,20}|^\\[!-~]?/.exec(command)?.[0] ?? '\\';
  return new StillpointError('restore-failed', `the dump holds a command for psql (${name}), as no dump does`, {
    hint: 'somebody has put it there: look who can write to the store, and take another backup',
  });
}
