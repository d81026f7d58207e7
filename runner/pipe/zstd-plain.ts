/**
 * What zstd frames hold. Node's own decompressor takes what comes after a frame for the end of the content, unless a chunk or its
 * buffer happens to end there, so each frame has one of its own: where a frame ends, its blocks say
 * (RFC 8878, section 3.1.1: https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1).
 */
import { createZstdDecompress } from 'node:zlib';
import { Chunks } from '../chunks';
import { type Content, through } from './stages';

const MAGIC = 0xfd2fb528;
/** The last four bits of a skippable frame's magic number are free. */
const SKIPPABLE = 0x184d2a50;
const CHECKSUM_BYTES = 4;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

/** The plain content. Throws an error of Node's, with a code of zlib's, where it is no zstd, is damaged, or ends too early. */
export async function* zstdPlain(content: Content): AsyncGenerator<Uint8Array, void> {
  await using chunks = new Chunks(content);
  do yield* through(frameOf(chunks), createZstdDecompress());
  while (await chunks.more());
}

/** The next frame, or what there is of it. */
async function* frameOf(chunks: Chunks): AsyncGenerator<Uint8Array, void> {
  const bounds = new FrameBounds();
  while (!bounds.passed && (await chunks.more())) yield chunks.take(bounds.pass(chunks.atHand));
}

/** Finds the end of one frame in chunks of any size. */
export class FrameBounds {
  /** Whether all of the frame has gone by. */
  passed = false;
  /** Bytes of no interest before the next field. */
  #skip = 0;
  #last = false;
  #checksum = false;
  /** The field that comes next, as far as it has come. */
  #field: number[] = [];
  #read: { readonly bytes: number; take(field: number): void } = { bytes: 4, take: (field) => this.#magic(field) };

  /** How many of the first bytes of a chunk belong to the frame. */
  pass(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length && !this.passed) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        at += skipped;
        this.#skip -= skipped;
      } else {
        this.#field.push(chunk[at] ?? 0);
        at += 1;
        if (this.#field.length === this.#read.bytes) this.#take();
      }
      this.passed = this.#last && this.#skip === 0;
    }
    return at;
  }

  #take(): void {
    const field = this.#field.reduceRight((sum, byte) => sum * 256 + byte, 0);
    this.#field = [];
    this.#read.take(field);
  }

  #magic(field: number): void {
    if (field === MAGIC) this.#read = { bytes: 1, take: (descriptor) => this.#descriptor(descriptor) };
    else if (field - (field % 16) === SKIPPABLE) this.#read = { bytes: 4, take: (size) => this.#end(size) };
    else this.#unknown();
  }

  #descriptor(field: number): void {
    const single = (field & 0x20) !== 0;
    const size = CONTENT_SIZE_BYTES[field >> 6] ?? 0;
    this.#checksum = (field & 0x04) !== 0;
    // A frame that is one segment has no window, and always says how much it holds.
    this.#skip = (DICTIONARY_ID_BYTES[field & 3] ?? 0) + (single ? Math.max(1, size) : 1 + size);
    this.#read = { bytes: 3, take: (header) => this.#block(header) };
  }

  #block(field: number): void {
    const [last, type, size] = [field & 1, (field >> 1) & 3, field >> 3];
    if (type === 3) this.#unknown();
    else {
      // A run is one byte, however often it is repeated.
      const bytes = type === 1 ? 1 : size;
      if (last === 1) this.#end(bytes + (this.#checksum ? CHECKSUM_BYTES : 0));
      else this.#skip = bytes;
    }
  }

  #end(bytes: number): void {
    this.#skip = bytes;
    this.#last = true;
  }

  /** The decompressor has a word for what this is. */
  #unknown(): void {
    this.#skip = Number.POSITIVE_INFINITY;
  }
}
