/**
 * The headers of a POSIX archive (pax, IEEE Std 1003.1, "pax Interchange Format"): a block of ustar, with an extended header
 * before it for what does not fit there. Pure.
 */
import { type Entry, type EntryKind, timeIn, timeText } from './entry';

/** Everything in an archive is padded to this. */
export const BLOCK_BYTES = 512;

/** The largest numbers that the octal fields hold. */
const SIZE_MAX = 8 ** 11 - 1;
const ID_MAX = 8 ** 7 - 1;
const NAME_BYTES = 100;

const TYPE: Readonly<Record<EntryKind, string>> = { file: '0', link: '1', symlink: '2', directory: '5' };
const EXTENDED = 'x';

/** What a block says. */
export interface Header {
  /** One of the kinds, `extended` for what is said of the next entry, or undefined for what we never write. */
  readonly kind: EntryKind | 'extended' | undefined;
  readonly entry: Entry;
}

/** Zeros up to the next block. */
export const padding = (size: number): number => (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;

/** All that stands before an entry's content. */
export function encodeHeader(entry: Entry): Buffer {
  const records = extendedRecords(entry);
  if (records.length === 0) return block(entry, TYPE[entry.kind]);
  const text = Buffer.concat(records);
  const about: Entry = { ...entry, path: 'PaxHeader', mode: 0o644, size: text.length, target: undefined };
  return Buffer.concat([
    block({ ...about, uid: 0, gid: 0, mtimeNs: 0n }, EXTENDED),
    text,
    Buffer.alloc(padding(text.length)),
    block(entry, TYPE[entry.kind]),
  ]);
}

/** The end of an archive. */
export const END = Buffer.alloc(2 * BLOCK_BYTES);

/** What of an entry does not fit into a block of ustar. */
function extendedRecords(entry: Entry): readonly Buffer[] {
  const { size, uid, gid, mtimeNs, target = '' } = entry;
  const path = nameOf(entry);
  return [
    ...(fits(path) ? [] : [record('path', path)]),
    ...(fits(target) ? [] : [record('linkpath', target)]),
    ...(size <= SIZE_MAX ? [] : [record('size', `${size}`)]),
    ...(uid <= ID_MAX ? [] : [record('uid', `${uid}`)]),
    ...(gid <= ID_MAX ? [] : [record('gid', `${gid}`)]),
    ...(mtimeNs % 1_000_000_000n === 0n && mtimeNs >= 0n ? [] : [record('mtime', timeText(mtimeNs))]),
  ];
}

/** ASCII alone: what other bytes mean in a block, readers disagree on. */
function fits(name: string): boolean {
  return name.length <= NAME_BYTES && /^[\x20-\x7e]*$/.test(name);
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length;
  while (length !== rest.length + `${length}`.length) length = rest.length + `${length}`.length;
  return Buffer.concat([Buffer.from(`${length}`), rest]);
}

const nameOf = ({ kind, path }: Entry): string => (kind === 'directory' ? `${path}/` : path);

function block(entry: Entry, type: string): Buffer {
  const { mode, uid, gid, size, mtimeNs, target = '' } = entry;
  const header = Buffer.alloc(BLOCK_BYTES);
  Buffer.from(nameOf(entry)).copy(header, 0, 0, NAME_BYTES);
  header.write(octal(mode, 8), 100, 'latin1');
  header.write(octal(Math.min(uid, ID_MAX), 8), 108, 'latin1');
  header.write(octal(Math.min(gid, ID_MAX), 8), 116, 'latin1');
  header.write(octal(size <= SIZE_MAX ? size : 0, 12), 124, 'latin1');
  const seconds = mtimeNs < 0n ? 0 : Number(mtimeNs / 1_000_000_000n);
  header.write(octal(Math.min(seconds, SIZE_MAX), 12), 136, 'latin1');
  header.write(type, 156, 'latin1');
  Buffer.from(target).copy(header, 157, 0, NAME_BYTES);
  header.write('ustar\u000000', 257, 'latin1');
  header.write(octal(checksum(header), 8), 148, 'latin1');
  return header;
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

/** The sum of all bytes, with spaces in the place of the sum. */
function checksum(header: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of header.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  return sum;
}

/** What a block says, with what an extended header said before it; undefined when it is no header. */
export function decodeHeader(header: Buffer, said: ReadonlyMap<string, string>): Header | undefined {
  if (header.toString('latin1', 257, 262) !== 'ustar') return undefined;
  if (numberIn(header, 148, 8) !== checksum(header)) return undefined;
  const type = header.toString('latin1', 156, 157);
  const [known] = (Object.entries(TYPE) as [EntryKind, string][]).find(([, letter]) => letter === type) ?? [];
  const kind = type === EXTENDED ? 'extended' : known;
  const [size, uid, gid] = [
    numberOf(said.get('size')) ?? numberIn(header, 124, 12),
    numberOf(said.get('uid')) ?? numberIn(header, 108, 8),
    numberOf(said.get('gid')) ?? numberIn(header, 116, 8),
  ];
  const mode = numberIn(header, 100, 8);
  const seconds = numberIn(header, 136, 12);
  const time = said.get('mtime');
  const mtimeNs =
    time === undefined ? (seconds === undefined ? undefined : BigInt(seconds) * 1_000_000_000n) : timeIn(time);
  if ([size, uid, gid, mode, mtimeNs].includes(undefined)) return undefined;
  const path = (said.get('path') ?? textIn(header, 0, NAME_BYTES)).replace(/\/$/, '');
  const target = said.get('linkpath') ?? textIn(header, 157, NAME_BYTES);
  const entry = { kind: known ?? 'file', path, mode, uid, gid, mtimeNs, size } as Entry;
  return { kind, entry: known === 'symlink' || known === 'link' ? { ...entry, target } : entry };
}

/** The records of an extended header; undefined when they are none. */
export function decodeExtended(text: Buffer): ReadonlyMap<string, string> | undefined {
  const said = new Map<string, string>();
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(0x20, at);
    const length = numberOf(space < 0 ? undefined : text.toString('latin1', at, space));
    const end = at + (length ?? 0);
    if (length === undefined || end <= space || end > text.length || text[end - 1] !== 0x0a) return undefined;
    const pair = text.toString('utf8', space + 1, end - 1);
    const equals = pair.indexOf('=');
    if (equals < 1) return undefined;
    said.set(pair.slice(0, equals), pair.slice(equals + 1));
    at = end;
  }
  return said;
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function numberIn(header: Buffer, at: number, width: number): number | undefined {
  const text = header
    .toString('latin1', at, at + width)
    .replace(/[\0 ]+$/, '')
    .trimStart();
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

function textIn(header: Buffer, at: number, width: number): string {
  const end = header.indexOf(0, at);
  return header.toString('utf8', at, end < 0 ? at + width : Math.min(end, at + width));
}
