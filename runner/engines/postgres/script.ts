/**
 * A plain dump as psql reads it, line by line, told apart by whether a line begins outside of everything: rows, function
 * bodies and comments may hold whatever looks like a statement or a command of psql.
 */
import { StillpointError } from '../../errors';
import type { Content } from '../../pipe/stages';

/** Inside what a line of SQL begins. */
type Within =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'string'; readonly escapes: boolean }
  | { readonly kind: 'identifier' }
  | { readonly kind: 'dollars'; readonly tag: string }
  | { readonly kind: 'comment'; readonly depth: number };

const NOTHING: Within = { kind: 'nothing' };

/** What may begin something in SQL, in Latin-1: the bytes of other alphabets count as letters there. */
const BEGINS = /[eE]?'|"|--|\/\*|\\|\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$/g;
const IN_A_WORD = /[\w$\x80-\xff]/;
const COPY_BEGINS = ' FROM stdin;\n';
const COPY_ENDS = Buffer.from('\n\\.\n');
const NO_ROWS = COPY_ENDS.subarray(1);

/** The next place from `at` on where `pattern` matches, and what did. */
function next(pattern: RegExp, line: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(line);
}

/** Where what a line is within ends, and within what it goes on; undefined: not on this line. */
function leave(line: string, at: number, within: Within): { readonly at: number; readonly within: Within } | undefined {
  if (within.kind === 'dollars') return after(line.indexOf(within.tag, at), within.tag.length);
  if (within.kind === 'identifier') return after(line.indexOf('"', at), 1);
  if (within.kind === 'string') return leaveString(line, at, within.escapes);
  if (within.kind === 'comment') return leaveComment(line, at, within.depth);
  return { at, within };
}

const after = (found: number, length: number): { readonly at: number; readonly within: Within } | undefined =>
  found < 0 ? undefined : { at: found + length, within: NOTHING };

function leaveString(line: string, at: number, escapes: boolean): ReturnType<typeof leave> {
  // Two quotes in a row are one of the text. Without escapes it comes to the same to leave the string and to begin another.
  if (!escapes) return after(line.indexOf("'", at), 1);
  const pattern = /\\.|''|'/gs;
  for (let found = next(pattern, line, at); found !== null; found = pattern.exec(line)) {
    if (found[0] === "'") return after(found.index, 1);
  }
  return undefined;
}

function leaveComment(line: string, at: number, depth: number): ReturnType<typeof leave> {
  const found = next(/\/\*|\*\//g, line, at);
  if (found === null) return undefined;
  const now = depth + (found[0] === '/*' ? 1 : -1);
  return { at: found.index + 2, within: now === 0 ? NOTHING : { kind: 'comment', depth: now } };
}

/** What was found in a line. */
interface Scanned {
  /** Within what the line after this one begins. */
  readonly within: Within;
  /** Whether this one ends in SQL, not in a comment. */
  readonly open: boolean;
  /** What follows a backslash outside of everything, from that on: to psql a command. */
  readonly commands?: string;
}

function scan(line: string, from: Within): Scanned {
  let within = from;
  for (let at = 0; ; ) {
    if (within.kind !== 'nothing') {
      const left = leave(line, at, within);
      if (left === undefined) return { within, open: false };
      ({ at, within } = left);
      continue;
    }
    const found = next(BEGINS, line, at);
    if (found === null) return { within, open: true };
    if (found[0] === '--') return { within, open: false };
    // A command of psql goes to the end of its line.
    if (found[0] === '\\') return { within, open: true, commands: line.slice(found.index) };
    ({ at, within } = enter(line, found));
  }
}

function enter(line: string, { 0: what, index }: RegExpExecArray): { readonly at: number; readonly within: Within } {
  const at = index + what.length;
  const inWord = index > 0 && IN_A_WORD.test(line.charAt(index - 1));
  if (what === '"') return { at, within: { kind: 'identifier' } };
  if (what === '/*') return { at, within: { kind: 'comment', depth: 1 } };
  // The E of `date'2020-01-01'` belongs to the word, and so do the dollars of `a$b$`.
  if (what.endsWith("'")) return { at, within: { kind: 'string', escapes: what.length > 1 && !inWord } };
  return inWord ? { at: index + 1, within: NOTHING } : { at, within: { kind: 'dollars', tag: what } };
}

/** A piece of a dump, with the ends of its lines: a line that begins outside of everything, or what lies inside something. */
export interface Piece {
  readonly bytes: Buffer;
  /** The line, in Latin-1; undefined of what lies inside. */
  readonly line?: string;
  /** What psql takes for commands of its own, where that does not begin its line. */
  readonly commands?: string;
}

/** Takes a dump apart as it comes. Rows are never held, and lines of SQL until their end. */
export class Script {
  #within: Within | 'rows' = NOTHING;
  /** What is not taken apart yet: the beginning of a line, or what may be the end of rows. */
  #held: Buffer[] = [];
  /** Whether rows are about to begin. */
  #fresh = false;

  *take(chunk: Uint8Array): Generator<Piece, void> {
    if (this.#within !== 'rows' && !chunk.includes(0x0a)) {
      this.#held.push(Buffer.from(chunk));
      return;
    }
    let rest = Buffer.concat([...this.#held, chunk]);
    for (let used = -1; used !== 0 && rest.length > 0; rest = rest.subarray(used)) {
      const piece = this.#within === 'rows' ? this.#rows(rest) : this.#line(rest);
      used = piece?.bytes.length ?? 0;
      if (piece !== undefined) yield piece;
    }
    // A copy: the rest of the chunk is not kept for these few bytes.
    this.#held = [Buffer.from(rest)];
  }

  /** Whether what comes next is inside of something: rows, a string, a comment. */
  get inside(): boolean {
    return this.#within === 'rows' || this.#within.kind !== 'nothing';
  }

  /** What is left when the dump has ended: a line without an end. */
  get rest(): Buffer {
    return Buffer.concat(this.#held);
  }

  #line(bytes: Buffer): Piece | undefined {
    const end = bytes.indexOf(0x0a) + 1;
    if (end === 0 || this.#within === 'rows') return undefined;
    const line = bytes.toString('latin1', 0, end);
    const top = this.#within.kind === 'nothing';
    const piece = { bytes: bytes.subarray(0, end), ...(top ? { line } : {}) };
    if (top && line.startsWith('\\')) return piece;
    const { within, open, commands } = scan(line, this.#within);
    this.#fresh = open && commands === undefined && line.endsWith(COPY_BEGINS);
    this.#within = this.#fresh ? 'rows' : within;
    return commands === undefined ? piece : { ...piece, commands };
  }

  #rows(bytes: Buffer): Piece | undefined {
    // Where no row was before it, the end of the line before was taken already.
    const none = this.#fresh && bytes.subarray(0, NO_ROWS.length).equals(NO_ROWS);
    const found = none ? 0 : bytes.indexOf(COPY_ENDS);
    if (found >= 0) {
      this.#within = NOTHING;
      return { bytes: bytes.subarray(0, found + (none ? NO_ROWS : COPY_ENDS).length) };
    }
    const sure = bytes.length - NO_ROWS.length;
    if (sure <= 0) return undefined;
    this.#fresh = false;
    return { bytes: bytes.subarray(0, sure) };
  }
}

/** What is put in the place of a piece: nothing leaves it out. */
export type Rewriting = (piece: Piece) => Uint8Array | undefined;

/** A dump with its pieces rewritten, in one for each chunk. A line without an end is judged as one that has it. */
export async function* rewritten(content: Content, rewrite: Rewriting): AsyncGenerator<Uint8Array, void> {
  const script = new Script();
  for await (const chunk of content) {
    const kept: Uint8Array[] = [];
    for (const piece of script.take(chunk)) kept.push(rewrite(piece) ?? NO_BYTES);
    const whole = Buffer.concat(kept);
    if (whole.length > 0) yield whole;
  }
  const { rest: bytes } = script;
  const [piece] = bytes.length === 0 ? [] : script.take(Buffer.from('\n'));
  if (script.inside) {
    throw new StillpointError('restore-failed', 'the dump ends in the middle of rows or of a statement', {
      hint: 'no dump does that: look who can write to the store, and take another backup',
    });
  }
  const last = bytes.length === 0 ? undefined : rewrite({ ...piece, bytes });
  if (last !== undefined) yield last;
}

const NO_BYTES = Buffer.alloc(0);

/** A name as the line of a {@link Piece} has it. */
export const latin1 = (name: string): string => Buffer.from(name).toString('latin1');
