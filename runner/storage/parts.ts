/** Cuts a content into parts and sends them, several at once, in bounded memory. Whoever is slow holds the content back. */
import { orAborted } from '../abort';
import { Chunks } from '../chunks';
import { StillpointError } from '../errors';
import { type PartLimits, type PartPlace, partBytes, partsInFlight } from './part-sizes';

/** A part of a content. Its bytes are good until its sending has ended: the memory is used again. */
export interface Part {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer;
  /** Of its first byte in the content. */
  readonly offset: number;
  readonly last: boolean;
}

/** How a content is sent. */
export interface Sending<T> {
  readonly limits: PartLimits;
  readonly expectedBytes?: number | undefined;
  /** How many at once at most, whatever their size. */
  readonly concurrency?: number;
  readonly signal: AbortSignal;
  /** Called in the order of the content, before the part is sent: for checksums of the whole. */
  readonly see?: (part: Part) => void;
  readonly send: (part: Part, signal: AbortSignal) => Promise<T>;
}

/** What came of it, in the order of the content. */
export interface Sent<T> {
  readonly bytes: number;
  readonly parts: readonly T[];
}

/** Sends all of a content. When anything fails, nothing is under way any more, and the content has been told to end. */
export async function sendParts<T>(content: AsyncIterable<Uint8Array>, sending: Sending<T>): Promise<Sent<T>> {
  const failing = new AbortController();
  const signal = AbortSignal.any([sending.signal, failing.signal]);
  await using chunks = new Chunks(content, signal);
  const outcomes: T[] = [];
  const underWay = new Set<Promise<void>>();
  const memory = new Memory();
  const fail = (error: unknown): void => failing.abort(error);
  try {
    let offset = 0;
    for (let number = 1; ; number++) {
      const size = sizeOf({ number, offset }, sending);
      const buffer = memory.take(size);
      const { length, last } = await filled(chunks, buffer);
      const part: Part = { number, bytes: buffer.subarray(0, length), offset, last };
      offset += length;
      sending.see?.(part);
      while (underWay.size >= Math.min(partsInFlight(size), sending.concurrency ?? Number.POSITIVE_INFINITY)) {
        await orAborted(Promise.race(underWay), signal);
      }
      const going: Promise<void> = sending
        .send(part, signal)
        .then((outcome) => {
          outcomes[number - 1] = outcome;
          memory.giveBack(buffer);
        }, fail)
        .finally(() => underWay.delete(going));
      underWay.add(going);
      if (last) break;
    }
    await Promise.all(underWay);
    signal.throwIfAborted();
    return { bytes: offset, parts: outcomes };
  } catch (error) {
    fail(error);
    await Promise.all(underWay);
    throw error;
  }
}

function sizeOf<T>(place: PartPlace, { limits, expectedBytes }: Sending<T>): number {
  if (place.number > limits.parts) {
    throw new StillpointError(
      'store-refused',
      `the content has more than the ${limits.parts} parts that the store admits`,
      { hint: 'dump less at once: one database each, or with compression' },
    );
  }
  return partBytes(place, limits, expectedBytes);
}

/** Buffers of one size, used again: what is allocated anew for each part is collected late. */
class Memory {
  #free: Buffer[] = [];

  take(size: number): Buffer {
    this.#free = this.#free.filter(({ length }) => length === size);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(size);
  }

  giveBack(buffer: Buffer): void {
    this.#free.push(buffer);
  }
}

/** Fills a buffer as far as the content goes, and looks whether any more comes. */
async function filled(content: Chunks, buffer: Buffer): Promise<{ readonly length: number; readonly last: boolean }> {
  let length = 0;
  while (await content.more()) {
    const taken = content.take(buffer.length - length);
    if (taken.length === 0) return { length, last: false };
    buffer.set(taken, length);
    length += taken.length;
  }
  return { length, last: true };
}
