import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { codecOf } from '../../../runner/pipe/compression';
import { FRAME_BYTES, zstdFrames } from '../../../runner/pipe/zstd-frames';

const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** Words that compress, in chunks of uneven sizes. */
async function* content(bytes: number, each = 70_001): AsyncGenerator<Uint8Array, void> {
  for (let at = 0, n = 0; at < bytes; n++) {
    const word = createHash('sha256').update(`${n}`).digest('hex');
    const chunk = Buffer.alloc(Math.min(each, bytes - at), word);
    at += chunk.length;
    yield chunk;
  }
}

async function gathered(of: AsyncIterable<Uint8Array>): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of of) chunks.push(Buffer.from(chunk));
  return chunks;
}

const whole = async (of: AsyncIterable<Uint8Array>): Promise<Buffer> => Buffer.concat(await gathered(of));

describe('a content that is made smaller', () => {
  const sizes = [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 5 * FRAME_BYTES + 12_345];

  it.each(['zstd', 'gzip', 'none'] as const)(
    'by %s is what it was when it is undone, whatever its size',
    async (name) => {
      const { compress, decompress } = codecOf(name);
      for (const bytes of sizes) {
        const plain = await whole(content(bytes));
        const stored = await whole(compress(content(bytes)));
        expect((await whole(decompress(inPieces(stored)))).equals(plain)).toBe(true);
        if (name !== 'none' && bytes > 1000) expect(stored.length).toBeLessThan(plain.length / 5);
      }
    },
  );

  it('by zstd is a frame for each two MiB, in order, each with its checksum', async () => {
    const frames = await gathered(zstdFrames(content(2 * FRAME_BYTES + 5)));
    expect(frames.map((frame) => frame.subarray(0, 4).equals(MAGIC))).toEqual([true, true, true]);
    // https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.1: bit 2 of the descriptor.
    expect(frames.map((frame) => (frame[4] ?? 0) & 4)).toEqual([4, 4, 4]);
    const blocks = frames.map((frame) => zstdDecompressSync(frame));
    expect(blocks.map(({ length }) => length)).toEqual([FRAME_BYTES, FRAME_BYTES, 5]);
    expect(Buffer.concat(blocks).equals(await whole(content(2 * FRAME_BYTES + 5)))).toBe(true);
  });

  it('by zstd is one frame when it is empty', async () => {
    const frames = await gathered(zstdFrames(content(0)));
    expect(frames).toHaveLength(1);
    expect(zstdDecompressSync(frames[0] as Buffer)).toHaveLength(0);
  });

  it('by zstd is held back: whoever takes a frame has had three blocks read', async () => {
    let pulled = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array, void> {
      for await (const chunk of content(20 * FRAME_BYTES, FRAME_BYTES)) {
        pulled += 1;
        yield chunk;
      }
    };
    const frames = zstdFrames(counted());
    await frames.next();
    expect(pulled).toBe(3);
    await frames.next();
    expect(pulled).toBe(4);
    await frames.return();
  });

  it('by zstd ends what makes it when whoever takes it leaves, and fails with it', async () => {
    let ended = false;
    const failing = async function* (how: 'fails' | 'goes on'): AsyncGenerator<Uint8Array, void> {
      try {
        yield* content(4 * FRAME_BYTES);
        if (how === 'fails') throw new Error('the tool has died');
        yield* content(4 * FRAME_BYTES);
      } finally {
        ended = true;
      }
    };
    const left = zstdFrames(failing('goes on'));
    await left.next();
    await left.return();
    expect(ended).toBe(true);
    await expect(whole(zstdFrames(failing('fails')))).rejects.toThrow('the tool has died');
  });
});

async function* inPieces(stored: Buffer): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < stored.length; at += 10_007) yield stored.subarray(at, at + 10_007);
}
