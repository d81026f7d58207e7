/**
 * Bookmarks: where the log of a database stands, as the server hands it to drivers. Officially opaque; since 4.0 it is
 * `FB:` and, in base64, PackStream's list of the database's id (16 bytes), the number of the last transaction, and a list
 * [org.neo4j.fabric.bookmark.BookmarkFormat; tried, 5.26]. What is not of that form is kept as it is, and not compared.
 * Pure.
 */

const PREFIX = 'FB:';
const LIST_OF_ONE = 0x91;
const BYTES_8 = 0xcc;
const ID_BYTES = 16;

/** The number of the last transaction; undefined where it cannot be read. */
export function transactionOf(bookmark: string | undefined): number | undefined {
  if (bookmark === undefined || !bookmark.startsWith(PREFIX)) return undefined;
  const bytes = Buffer.from(bookmark.slice(PREFIX.length), 'base64');
  if (bytes[0] !== LIST_OF_ONE || bytes[1] !== BYTES_8 || bytes[2] !== ID_BYTES) return undefined;
  return integerAt(bytes, 3 + ID_BYTES);
}

/** A PackStream integer: a small one is a byte, the others say by their marker how long they are. */
function integerAt(bytes: Buffer, at: number): number | undefined {
  const marker = bytes[at];
  if (marker === undefined) return undefined;
  if (marker < 0x80) return marker;
  const read = READERS[marker];
  if (read === undefined || bytes.length < at + 1 + read.size) return undefined;
  return read.value(bytes, at + 1);
}

const READERS: Readonly<Record<number, { readonly size: number; readonly value: (b: Buffer, at: number) => number }>> =
  {
    200: { size: 1, value: (bytes, at) => bytes.readInt8(at) },
    201: { size: 2, value: (bytes, at) => bytes.readInt16BE(at) },
    202: { size: 4, value: (bytes, at) => bytes.readInt32BE(at) },
    203: { size: 8, value: (bytes, at) => Number(bytes.readBigInt64BE(at)) },
  };
