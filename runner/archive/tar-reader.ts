/** Reads an archive as it streams in: each entry, and its content in pieces. Nothing of it is held. */
import { StillpointError } from '../errors';
import type { Content } from '../pipe/stages';
import type { Entry } from './entry';
import { BLOCK_BYTES, decodeExtended, decodeHeader, padding } from './tar-header';

/** More is no extended header of ours. */
const EXTENDED_MAX_BYTES = 64 * 1024;

/** An entry with its content, which is read before the next entry is asked for, or passed over. */
export interface ReadEntry {
  readonly entry: Entry;
  readonly content: AsyncIterable<Uint8Array>;
}

/** The entries of an archive, to its very end. Throws archive-refused where it is none that we have written. */
export async function* entriesOf(archive: Content): AsyncGenerator<ReadEntry, void> {
  const bytes = new Bytes(archive);
  try {
    yield* entriesIn(bytes);
  } finally {
    // Who reads no further lets go of what it is read from.
    await bytes.close();
  }
}

async function* entriesIn(bytes: Bytes): AsyncGenerator<ReadEntry, void> {
  let said: ReadonlyMap<string, string> = new Map();
  let number = 0;
  for (;;) {
    const block = await bytes.take(BLOCK_BYTES);
    if (isZero(block)) break;
    const header = decodeHeader(block, said);
    if (header === undefined) throw refusedArchive(`entry ${number + 1} has no header that can be read`);
    if (header.kind === 'extended') {
      const { size } = header.entry;
      if (size > EXTENDED_MAX_BYTES) throw refusedArchive(`the header of entry ${number + 1} has ${size} bytes`);
      const text = await bytes.take(size);
      await bytes.take(padding(size));
      const read = decodeExtended(text);
      if (read === undefined) throw refusedArchive(`entry ${number + 1} has an extended header that cannot be read`);
      said = read;
      continue;
    }
    number += 1;
    const { path, kind, size } = header.entry;
    if (header.kind === undefined) throw refusedArchive(`${path} is of a kind that is in no archive of ours`);
    if (kind !== 'file' && size > 0) throw refusedArchive(`${path} is a ${kind}, and has ${size} bytes`);
    const content = bytes.some(size);
    yield { entry: header.entry, content };
    // What was not read is passed over.
    for await (const _ of content);
    await bytes.take(padding(size));
    said = new Map();
  }
  // Whoever reads the stream hears only at its end whether all of it was good.
  for await (const chunk of bytes.rest()) {
    if (!isZero(chunk)) throw refusedArchive('something follows the end of the archive');
  }
}

/** A stream, by counts of bytes. */
class Bytes {
  readonly #source: AsyncIterator<Uint8Array>;
  #left: Uint8Array = new Uint8Array();

  constructor(source: Content) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.some(count)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** As many bytes, in pieces as they come; a second reader of the same goes on where the first ended. */
  some(count: number): AsyncIterable<Uint8Array> {
    let missing = count;
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      if (missing === 0) return { done: true, value: undefined };
      if (this.#left.length === 0) this.#left = await this.#more();
      const piece = this.#left.subarray(0, missing);
      this.#left = this.#left.subarray(piece.length);
      missing -= piece.length;
      return { done: false, value: piece };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async *rest(): AsyncGenerator<Uint8Array, void> {
    if (this.#left.length > 0) yield this.#left;
    this.#left = new Uint8Array();
    for (let got = await this.#source.next(); got.done !== true; got = await this.#source.next()) yield got.value;
  }

  async #more(): Promise<Uint8Array> {
    for (;;) {
      const got = await this.#source.next();
      if (got.done === true) throw refusedArchive('it ends before its end');
      if (got.value.length > 0) return got.value;
    }
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** What is not an archive of ours, or was made to do harm. */
export function refusedArchive(why: string): StillpointError {
  return new StillpointError('archive-refused', `the archive is not one to restore from: ${why}`, {
    hint: 'it was altered, or made by something else: take another copy',
  });
}
