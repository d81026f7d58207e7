/**
 * zstd in frames of their own, two compressed at once. One stream on one thread waits for the thread that reads and hashes,
 * and that one for it; frames do not. A file of several frames is a zstd file as any other: `zstd -d` undoes it
 * (RFC 8878, section 3: https://www.rfc-editor.org/rfc/rfc8878#section-3).
 */
import { constants, createZstdCompress, type ZstdCompress, type ZstdOptions } from 'node:zlib';
import { StillpointError } from '../errors';
import type { Content } from './stages';

/** What a frame holds: as far back as the default level looks, so that little is lost by beginning anew. */
export const FRAME_BYTES = 2 * 1024 ** 2;
const AT_ONCE = 2;

/** The content as zstd. Holds back what the reader has no room for: no more than four blocks are in memory. */
export async function* zstdFrames(content: Content): AsyncGenerator<Uint8Array, void> {
  using idle = new Compressors();
  const blocks = new Blocks();
  const going: Promise<Uint8Array>[] = [];
  for await (const block of blocks.of(content)) {
    if (going.length === AT_ONCE) yield await (going.shift() as Promise<Uint8Array>);
    const frame = idle.frameOf(block);
    // Whoever leaves before it is asked for hears of nothing.
    frame.then(
      () => blocks.giveBack(block),
      () => undefined,
    );
    going.push(frame);
  }
  for (const frame of going) yield await frame;
}

/** Memory for compression is used again, too: a compressor takes some megabytes. */
class Compressors implements Disposable {
  readonly #all: FrameCompressor[] = [];
  readonly #idle: FrameCompressor[] = [];

  async frameOf(block: Uint8Array): Promise<Uint8Array> {
    const compressor = this.#idle.pop() ?? this.#another();
    const frame = await compressor.frameOf(block);
    this.#idle.push(compressor);
    return frame;
  }

  #another(): FrameCompressor {
    const made = new FrameCompressor();
    this.#all.push(made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const compressor of this.#all) compressor[Symbol.dispose]();
  }
}

/** Makes one frame after the other. */
class FrameCompressor implements Disposable {
  readonly #zstd: ZstdCompress;
  #fail: (error: Error) => void = () => undefined;

  constructor() {
    const options: ZstdOptions & { readonly readableHighWaterMark: number } = {
      // A frame's last bytes tell what it holds: `zstd -d` and `zstd -t` look at them.
      params: { [constants.ZSTD_c_checksumFlag]: 1 },
      // Asks for its next output a few times a frame, and not for each 16 KiB.
      chunkSize: FRAME_BYTES / 8,
      // A frame that cannot be compressed is a little larger than what it holds.
      readableHighWaterMark: 2 * FRAME_BYTES,
    };
    this.#zstd = createZstdCompress(options);
    this.#zstd.on('error', (error) => this.#fail(error));
  }

  async frameOf(block: Uint8Array): Promise<Uint8Array> {
    const { promise: ended, resolve: end, reject } = Promise.withResolvers<void>();
    this.#fail = reject;
    if (block.length > 0) this.#zstd.write(block);
    this.#zstd.flush(constants.ZSTD_e_end, (error?: Error | null) => (error ? reject(error) : end()));
    await ended;
    const frame = this.#zstd.read() as Buffer | null;
    // Even one that holds nothing has a header: a block that were left out here would be missed by whoever restores it.
    if (frame === null) throw new StillpointError('internal', 'a block was compressed to nothing');
    return frame;
  }

  [Symbol.dispose](): void {
    this.#zstd.destroy();
  }
}

/** Cuts a content into blocks of one size, in memory that is used again. */
class Blocks {
  readonly #free: Buffer[] = [];

  giveBack({ buffer }: Buffer): void {
    this.#free.push(Buffer.from(buffer));
  }

  /** An empty content is one empty block. */
  async *of(content: Content): AsyncGenerator<Buffer, void> {
    let block = this.#take();
    let length = 0;
    let first = true;
    for await (const chunk of content) {
      for (let rest = chunk; rest.length > 0; ) {
        const taken = rest.subarray(0, FRAME_BYTES - length);
        block.set(taken, length);
        length += taken.length;
        rest = rest.subarray(taken.length);
        if (length < FRAME_BYTES) continue;
        yield block;
        [block, length, first] = [this.#take(), 0, false];
      }
    }
    if (length > 0 || first) yield block.subarray(0, length);
  }

  #take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(FRAME_BYTES);
  }
}
