import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LEAST_PART_BYTES } from '../../../runner/storage/part-sizes';
import { type Part, type Sending, sendParts } from '../../../runner/storage/parts';

const MiB = 1024 * 1024;
const LIMITS = { parts: 10_000, partBytes: 5 * 1024 * MiB };
const never = new AbortController().signal;

/** Counts what was asked of it, and whether it was told to end. */
class Content {
  pulled = 0;
  ended = false;

  constructor(private readonly mebibytes: number) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    try {
      for (let each = 0; each < this.mebibytes; each++) {
        this.pulled += MiB;
        yield Buffer.alloc(MiB, each);
      }
    } finally {
      this.ended = true;
    }
  }
}

const send = <T>(content: AsyncIterable<Uint8Array>, sending: Partial<Sending<T>> & Pick<Sending<T>, 'send'>) =>
  sendParts(content, { limits: LIMITS, signal: never, ...sending });

describe('a content in parts', () => {
  it.each([
    [0, [0]],
    [3, [3]],
    [8, [8]],
    [9, [8, 1]],
    [16, [8, 8]],
    [41, [8, 8, 8, 8, 8, 1]],
  ])('of %i MiB has parts of %j, and knows the last', async (mebibytes, sizes) => {
    const seen: Pick<Part, 'number' | 'offset' | 'last'>[] = [];
    const sent = await send(new Content(mebibytes), {
      see: ({ number, offset, last }) => seen.push({ number, offset, last }),
      send: async ({ bytes }) => bytes.length / MiB,
    });
    expect(sent).toEqual({ bytes: mebibytes * MiB, parts: sizes });
    expect(seen).toEqual(
      sizes.map((_, index) => ({
        number: index + 1,
        offset: index * LEAST_PART_BYTES,
        last: index === sizes.length - 1,
      })),
    );
  });

  it('is held back by a store that takes nothing: four parts on their way, and one that is filled', async () => {
    const content = new Content(400);
    const waiting: (() => void)[] = [];
    const sending = send(content, { send: () => new Promise<void>((resolve) => waiting.push(resolve)) });
    for (let turns = 0; turns < 1000; turns++) await turn();
    expect(waiting).toHaveLength(4);
    // What it looks at to know whether a part is the last one is a chunk of the content's own.
    expect(content.pulled).toBe(41 * MiB);
    waiting.shift()?.();
    for (let turns = 0; turns < 1000; turns++) await turn();
    expect(content.pulled).toBe(49 * MiB);
    let done = false;
    const ended = sending.finally(() => {
      done = true;
    });
    for (; !done; await turn()) for (const each of waiting.splice(0)) each();
    expect((await ended).bytes).toBe(400 * MiB);
  });

  it('ends, and is told to, when a part cannot be sent', async () => {
    const content = new Content(400);
    const stopped: unknown[] = [];
    const sending = send(content, {
      send: async ({ number }, signal) => {
        if (number === 2) throw new Error('the store is gone');
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        stopped.push(number);
      },
    });
    await expect(sending).rejects.toThrow('the store is gone');
    expect(content.ended).toBe(true);
    expect(stopped.length).toBeGreaterThan(0);
  });

  it('has nothing on its way any more when it fails itself', async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array, void> {
      yield* new Content(20);
      throw new Error('the tool has died');
    };
    let underWay = 0;
    const sending = send(failing(), {
      send: async (_, signal) => {
        underWay += 1;
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        underWay -= 1;
      },
    });
    await expect(sending).rejects.toThrow('the tool has died');
    expect(underWay).toBe(0);
  });

  it('is no longer than the store admits parts', async () => {
    const sending = send(new Content(40), { limits: { parts: 4, partBytes: LEAST_PART_BYTES }, send: async () => 1 });
    await expect(sending).rejects.toMatchObject({ code: 'store-refused' });
  });
});
