/** The manifest of an archive: a line of JSON for each entry, in the order of the archive, and for what is not in it. Pure. */
import { ENTRY_KINDS, type Entry, timeIn, timeText } from './entry';
import { refusedArchive } from './tar-reader';

/** An entry, with what its content was. */
export type Listed = Entry & { readonly sha256?: string | undefined };

/** What was left out of an archive, and why. */
export interface Skipped {
  readonly path: string;
  /** As `socket`. */
  readonly skipped: string;
}

/** One line. */
export type ManifestLine = Listed | Skipped;

/** The line, with its end. */
export function manifestText(line: ManifestLine): string {
  if ('skipped' in line) return `${JSON.stringify(line)}\n`;
  const { mode, mtimeNs, ...rest } = line;
  return `${JSON.stringify({ ...rest, mode: mode.toString(8).padStart(4, '0'), mtime: timeText(mtimeNs) })}\n`;
}

/** What {@link manifestText} wrote. Throws archive-refused when it is something else. */
export function manifestLine(text: string): ManifestLine {
  const read = parsed(text);
  const { path, skipped, kind, mode, mtime, uid, gid, size, target, sha256 } = read;
  if (typeof path === 'string' && typeof skipped === 'string') return { path, skipped };
  const mtimeNs = typeof mtime === 'string' ? timeIn(mtime) : undefined;
  const known = ENTRY_KINDS.find((each) => each === kind);
  const numbers = [uid, gid, size].every((each) => Number.isSafeInteger(each) && (each as number) >= 0);
  const texts = [target, sha256].every((each) => each === undefined || typeof each === 'string');
  const octal = typeof mode === 'string' && /^[0-7]{1,5}$/.test(mode);
  if (typeof path !== 'string' || known === undefined || mtimeNs === undefined || !numbers || !texts || !octal) {
    throw refusedArchive(`its manifest has the line ${text.slice(0, 200)}`);
  }
  const more = { ...(target === undefined ? {} : { target }), ...(sha256 === undefined ? {} : { sha256 }) };
  return { kind: known, path, mode: Number.parseInt(mode, 8), uid, gid, mtimeNs, size, ...more } as Listed;
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read === 'object' && read !== null) return read as Readonly<Record<string, unknown>>;
  } catch {
    // It is none.
  }
  throw refusedArchive(`its manifest has the line ${text.slice(0, 200)}`);
}

/** The lines of a manifest as it streams in. */
export async function* manifestLines(content: AsyncIterable<Uint8Array>): AsyncGenerator<ManifestLine, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let begun = '';
  for await (const chunk of content) {
    const lines = (begun + decoder.decode(chunk, { stream: true })).split('\n');
    begun = lines.pop() ?? '';
    if (begun.length > LINE_MAX) throw refusedArchive('its manifest has a line without an end');
    for (const line of lines) yield manifestLine(line);
  }
  if (begun !== '') throw refusedArchive('its manifest ends within a line');
}

/** Longer than any path. */
const LINE_MAX = 64 * 1024;

/** What an archive says of an entry and its manifest does not, as a part of a sentence; undefined when they agree. */
export function difference(entry: Entry, listed: Listed): string | undefined {
  for (const key of ['path', 'kind', 'mode', 'uid', 'gid', 'mtimeNs', 'size', 'target'] as const) {
    if (entry[key] !== listed[key]) return `${entry.path} has ${key} ${entry[key]}, and ${listed[key]} in the manifest`;
  }
  return undefined;
}
