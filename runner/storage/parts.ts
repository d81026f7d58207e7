/** Cuts a content into parts and sends them, several at once, in bounded memory. Whoever is slow holds the content back. */
import { orAborted } from '../abort';
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
  await using source = new Source(content, signal);
  const outcomes: T[] = [];
  const underWay = new Set<Promise<void>>();
  const memory = new Memory();
  const fail = (error: unknown): void => failing.abort(error);
  try {
    let offset = 0;
    for (let number = 1; ; number++) {
      const size = sizeOf({ number, offset }, sending);
      const buffer = memory.take(size);
      const { length, last } = await source.fill(buffer);
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

/** The content, read into buffers. */
class Source implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal;
  #rest: Uint8Array = new Uint8Array();
  #ended = false;
  #reading = false;

  constructor(content: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    this.#iterator = content[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  /** Fills a buffer as far as the content goes, and looks whether any more comes. */
  async fill(buffer: Buffer): Promise<{ readonly length: number; readonly last: boolean }> {
    let length = 0;
    while (await this.#more()) {
      const taken = this.#rest.subarray(0, buffer.length - length);
      if (taken.length === 0) return { length, last: false };
      buffer.set(taken, length);
      length += taken.length;
      this.#rest = this.#rest.subarray(taken.length);
    }
    return { length, last: true };
  }

  async #more(): Promise<boolean> {
    while (this.#rest.length === 0 && !this.#ended) {
      this.#reading = true;
      const next = await orAborted(this.#iterator.next(), this.#signal);
      this.#reading = false;
      if (next.done === true) this.#ended = true;
      else this.#rest = next.value;
    }
    return this.#rest.length > 0;
  }

  /** Lets whoever makes the content go: a generator's `finally` runs. One that is asleep is told, and not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    const ending = Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
    if (!this.#reading) await ending;
  }
}
