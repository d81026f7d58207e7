/**
 * One database of a dump of all. The clients' own way (`--one-database`) knows the database by a command of theirs, USE, and
 * that goes with `--binary-mode`, which keeps what a dump holds from running programs.
 */
import { StillpointError } from '../../errors';
import type { Content } from '../../pipe/stages';

const HEADING = '-- Current Database: ';
const USE = /^USE `((?:[^`]|``)*)`;\s*$/;
/** What routines and triggers are made under, which strings are read by. */
const SQL_MODE = /^\/\*!\d+ SET sql_mode +=/;

/** Inside what a line begins: the mark that ends it. */
type Within = 'nothing' | "'" | '"' | '`' | '*/';

/** What may begin something. A comment with a version in it is no comment: what it holds is SQL. */
const BEGINS = /['"`]|#|--(?=\s)|\/\*(?!M?!)/g;

/** The place after the end of what a line is within; -1 when that is not on this line. */
function endOf(line: string, at: number, within: Exclude<Within, 'nothing'>, escapes: boolean): number {
  if (within === '*/' || within === '`' || !escapes) {
    const found = line.indexOf(within, at);
    return found < 0 ? -1 : found + within.length;
  }
  // Two quotes in a row are one of the text: it comes to the same to leave the string and to begin another.
  const pattern = within === "'" ? /\\.|'/gs : /\\.|"/gs;
  pattern.lastIndex = at;
  for (let found = pattern.exec(line); found !== null; found = pattern.exec(line)) {
    if (found[0] === within) return found.index + 1;
  }
  return -1;
}

/** Within what the line after this one begins. */
function after(line: string, from: Within, escapes: boolean): Within {
  let within = from;
  for (let at = 0; ; ) {
    if (within !== 'nothing') {
      at = endOf(line, at, within, escapes);
      if (at < 0) return within;
      within = 'nothing';
    }
    BEGINS.lastIndex = at;
    const found = BEGINS.exec(line);
    if (found === null || found[0] === '#' || found[0] === '--') return 'nothing';
    within = found[0] === '/*' ? '*/' : (found[0] as "'" | '"' | '`');
    at = found.index + found[0].length;
  }
}

/** A name as lines have it, which are read as Latin-1. */
const latin1 = (name: string): string => Buffer.from(name).toString('latin1');

/** Which lines are of one database. What comes before the first database sets up the session, and is kept. */
class Selection {
  #within: Within = 'nothing';
  #escapes = true;
  #keeps = true;
  found = false;

  constructor(private readonly name: string) {}

  /** Whether the end was reached outside of everything: else quotes were misread on the way. */
  get closed(): boolean {
    return this.#within === 'nothing';
  }

  keeps(line: string): boolean {
    if (this.#within === 'nothing') {
      if (line.startsWith(HEADING)) this.#keeps = false;
      if (SQL_MODE.test(line)) this.#escapes = !line.includes('NO_BACKSLASH_ESCAPES');
      const used = USE.exec(line)?.[1]?.replaceAll('``', '`');
      if (used !== undefined) {
        this.#keeps = used === this.name;
        this.found ||= this.#keeps;
        // Without it, since the database may get another name.
        return false;
      }
    }
    this.#within = after(line, this.#within, this.#escapes);
    return this.#keeps;
  }
}

/** What one database holds, without what makes the database itself; throws restore-failed when the dump has none of this name. */
export async function* databaseOf(content: Content, database: string): AsyncGenerator<Uint8Array, void> {
  const selection = new Selection(latin1(database));
  let held: Buffer[] = [];
  for await (const chunk of content) {
    if (!chunk.includes(0x0a)) {
      held.push(Buffer.from(chunk));
      continue;
    }
    const bytes = Buffer.concat([...held, chunk]);
    const kept: Buffer[] = [];
    let at = 0;
    for (let end = bytes.indexOf(0x0a) + 1; end > 0; end = bytes.indexOf(0x0a, at) + 1) {
      if (selection.keeps(bytes.toString('latin1', at, end))) kept.push(bytes.subarray(at, end));
      at = end;
    }
    held = [Buffer.from(bytes.subarray(at))];
    if (kept.length > 0) yield Buffer.concat(kept);
  }
  const rest = Buffer.concat(held);
  if (rest.length > 0 && selection.keeps(rest.toString('latin1'))) yield rest;
  if (!selection.found) {
    throw new StillpointError('restore-failed', `the dump holds no database "${database}"`, {
      hint: 'name one of the databases that were there when it was taken',
    });
  }
  if (!selection.closed) {
    throw new StillpointError(
      'restore-failed',
      `the database "${database}" cannot be told from the others in the dump`,
      {
        hint: 'restore all of the dump into a server of its own',
      },
    );
  }
}
