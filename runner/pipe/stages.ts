/** The stages of a pipe: each takes a content and gives one, and holds back what the next has no room for. */
import { createHash } from 'node:crypto';
import { pipeline, Readable, type Transform } from 'node:stream';

/** A content on its way. */
export type Content = AsyncIterable<Uint8Array>;

/** Counts and hashes what goes by. */
export class Measure {
  readonly #hash = createHash('sha256');
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  async *of(content: Content): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of content) {
      this.#hash.update(chunk);
      this.#bytes += chunk.length;
      yield chunk;
    }
  }

  /** Asked for once, at the end. */
  sha256(): string {
    return this.#hash.digest('hex');
  }
}

/** The content through a transform. What fails before it fails after it too. */
export function through(content: Content, transform: Transform): Content {
  // The error reaches the reader by the transform, which the pipeline destroys with it.
  return pipeline(Readable.from(content, { objectMode: false }), transform, () => undefined);
}
