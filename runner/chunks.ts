/** A content that is read by whoever wants so many bytes of it, and not by the chunks that it comes in. */
import { orAborted } from './abort';

/** Whatever makes the content is told to end when this is disposed of: a generator's `finally` runs. One that is asleep is not waited for. */
export class Chunks implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  #atHand: Uint8Array = new Uint8Array();
  #ended = false;
  #reading = false;

  /** With a signal, a read that is under way when it aborts throws its reason. */
  constructor(content: AsyncIterable<Uint8Array>, signal?: AbortSignal) {
    this.#iterator = content[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  /** Whether there are bytes yet: then some are at hand. */
  async more(): Promise<boolean> {
    while (this.#atHand.length === 0 && !this.#ended) {
      this.#reading = true;
      const reading = this.#iterator.next();
      const next = await (this.#signal === undefined ? reading : orAborted(reading, this.#signal));
      this.#reading = false;
      if (next.done === true) this.#ended = true;
      else this.#atHand = next.value;
    }
    return this.#atHand.length > 0;
  }

  /** What can be taken without waiting. */
  get atHand(): Uint8Array {
    return this.#atHand;
  }

  /** The first of the bytes at hand, no more than there are. */
  take(most: number): Uint8Array {
    const taken = this.#atHand.subarray(0, most);
    this.#atHand = this.#atHand.subarray(taken.length);
    return taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    const ending = Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
    if (!this.#reading) await ending;
  }
}
