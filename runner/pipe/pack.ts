/** A content → hash → compression → encryption → hash: what goes into a store, and what is to be known of it afterwards. */
import type { Recipient } from './age-keys';
import { type Compression, codecOf } from './compression';
import { encrypted } from './encryption';
import { type Content, Measure } from './stages';

/** What went through a pipe. */
export interface Passed {
  readonly plainBytes: number;
  readonly plainSha256: string;
  readonly storedBytes: number;
  readonly storedSha256: string;
}

export interface PackOptions {
  readonly compression: Compression;
  /** Who may open it: each of them alone. It is not encrypted without them. */
  readonly recipients?: readonly Recipient[] | undefined;
}

/** One content on its way into a store. */
export class Packing {
  readonly #plain = new Measure();
  readonly #stored = new Measure();
  #whole = false;

  /** How many plain bytes have come so far. */
  get plainBytes(): number {
    return this.#plain.bytes;
  }

  /** Whether all of it was taken. */
  get whole(): boolean {
    return this.#whole;
  }

  /** What is stored of a content. Taken once. */
  async *of(content: Content, { compression, recipients }: PackOptions): AsyncGenerator<Uint8Array, void> {
    const packed = codecOf(compression).compress(this.#plain.of(content));
    yield* this.#stored.of(recipients === undefined ? packed : encrypted(packed, recipients));
    this.#whole = true;
  }

  /** Asked for once, at the end. */
  passed(): Passed {
    return {
      plainBytes: this.#plain.bytes,
      plainSha256: this.#plain.sha256(),
      storedBytes: this.#stored.bytes,
      storedSha256: this.#stored.sha256(),
    };
  }
}
