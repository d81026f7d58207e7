/** Frames of every kind, in chunks that end anywhere. */
import { createHash, randomBytes } from 'node:crypto';
import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { through } from '../../../runner/pipe/stages';
import { FrameBounds, zstdPlain } from '../../../runner/pipe/zstd-plain';

const MiB = 1024 * 1024;

async function whole(of: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of of) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* inPieces(stored: Buffer, ...ends: readonly number[]): AsyncGenerator<Uint8Array, void> {
  let from = 0;
  for (const end of [...ends, stored.length]) {
    yield stored.subarray(from, end);
    from = end;
  }
}

async function* each(stored: Buffer, bytes: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < stored.length; at += bytes) yield stored.subarray(at, at + bytes);
}

const words = (bytes: number): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(bytes / 32) }, (_, n) =>
      createHash('sha256')
        .update(`${n % 700}`)
        .digest(),
    ),
  ).subarray(0, bytes);

const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const skippable = (bytes: number): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a53);
  head.writeUInt32LE(bytes, 4);
  return Buffer.concat([head, Buffer.alloc(bytes, 0xfd)]);
};

const frames: Readonly<Record<string, { readonly plain: Buffer; readonly frame: Buffer }>> = Object.fromEntries(
  [
    ['nothing', Buffer.alloc(0)],
    ['a byte', Buffer.from('a')],
    ['300 bytes', words(300)],
    ['70,000 bytes', words(70_000)],
    ['more than one block', words(MiB + 17)],
    ['one byte again and again', Buffer.alloc(MiB, 'x')],
    ['what does not compress', randomBytes(300_000)],
  ].flatMap(([name, plain]) => [
    [name as string, { plain: plain as Buffer, frame: zstdCompressSync(plain as Buffer) }],
    [`${name}, with a checksum`, { plain: plain as Buffer, frame: zstdCompressSync(plain as Buffer, checked) }],
  ]),
);

describe('what zstd frames hold', () => {
  it.each(Object.entries(frames))('is found where a frame ends: %s', (_, { frame }) => {
    const more = Buffer.concat([frame, Buffer.from('and more')]);
    expect(new FrameBounds().pass(more)).toBe(frame.length);
    const bytewise = new FrameBounds();
    let passed = 0;
    while (!bytewise.passed) passed += bytewise.pass(more.subarray(passed, passed + 1));
    expect(passed).toBe(frame.length);
  });

  it('is given back whole wherever a chunk ends near the end of a frame', async () => {
    const { plain, frame } = frames['more than one block, with a checksum'] as (typeof frames)[string];
    const stored = Buffer.concat([frame, frame, frame]);
    const expected = Buffer.concat([plain, plain, plain]);
    for (let cut = -16; cut <= 16; cut++) {
      const ends = [frame.length + cut, 2 * frame.length + cut];
      expect((await whole(zstdPlain(inPieces(stored, ...ends)))).equals(expected), `${cut}`).toBe(true);
    }
  });

  it('is given back whole in pieces of any size, with frames of all kinds between each other', async () => {
    const all = Object.values(frames).filter(({ plain }) => plain.length < 100_000);
    const stored = Buffer.concat([
      skippable(0),
      ...all.map(({ frame }) => frame),
      skippable(100),
      ...all.map(({ frame }) => frame),
    ]);
    const expected = Buffer.concat([...all, ...all].map(({ plain }) => plain));
    for (const bytes of [1, 3, 5, 7, 1000, 65_536]) {
      expect((await whole(zstdPlain(each(stored, bytes)))).equals(expected), `pieces of ${bytes}`).toBe(true);
    }
  });

  it('is given back of one long frame, as dumps were stored before', async () => {
    const plain = words(9 * MiB);
    const stored = await whole(through(each(plain, 65_536), createZstdCompress()));
    for (const bytes of [4099, 65_536]) expect((await whole(zstdPlain(each(stored, bytes)))).equals(plain)).toBe(true);
  });

  it('is held back: a chunk that holds a great deal is not unpacked before somebody takes it', async () => {
    const stored = zstdCompressSync(Buffer.alloc(64 * MiB));
    const taking = zstdPlain(each(Buffer.concat([stored, stored]), 65_536));
    const before = process.memoryUsage().arrayBuffers;
    await taking.next();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MiB);
    await taking.return();
  });

  it.each([1, 4, 5, 8, 20, 200])('that ends %i bytes too early is refused', async (bytes) => {
    const { frame } = frames['70,000 bytes, with a checksum'] as (typeof frames)[string];
    const stored = Buffer.concat([frame, frame]).subarray(0, -bytes);
    await expect(whole(zstdPlain(each(stored, 1000)))).rejects.toMatchObject({ code: expect.stringMatching(/^Z/) });
  });

  it.each(['x', 'what is no zstd', '\u0028\u00b5'])('that goes on with something else is refused: %s', async (more) => {
    const { frame } = frames['300 bytes'] as (typeof frames)[string];
    const stored = Buffer.concat([frame, Buffer.from(more, 'latin1')]);
    for (const bytes of [1, 1000]) {
      await expect(whole(zstdPlain(each(stored, bytes)))).rejects.toMatchObject({ code: expect.stringMatching(/^Z/) });
    }
  });

  it('that was changed is refused by its checksum', async () => {
    const { frame } = frames['what does not compress, with a checksum'] as (typeof frames)[string];
    const changed = Buffer.from(frame);
    changed[1000] = (changed[1000] ?? 0) ^ 1;
    await expect(whole(zstdPlain(each(changed, 65_536)))).rejects.toMatchObject({ code: expect.stringMatching(/^Z/) });
  });

  it('fails with what brings it, and lets that go when whoever takes it leaves', async () => {
    const { frame } = frames['70,000 bytes'] as (typeof frames)[string];
    let ended = 0;
    const failing = async function* (fails: boolean): AsyncGenerator<Uint8Array, void> {
      try {
        yield* each(Buffer.concat([frame, frame, frame]), 1000);
        if (fails) throw new Error('the store has died');
        yield frame;
      } finally {
        ended += 1;
      }
    };
    await expect(whole(zstdPlain(failing(true)))).rejects.toThrow('the store has died');
    const left = zstdPlain(failing(false));
    await left.next();
    await left.return();
    expect(ended).toBe(2);
  });
});
