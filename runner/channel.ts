/** Hands values from callbacks to a `for await` loop, in order. */
export class Channel<T> implements AsyncIterable<T> {
  readonly #values: T[] = [];
  #wake = Promise.withResolvers<void>();
  #ended: { readonly error?: unknown } | undefined;

  push(value: T): void {
    this.#values.push(value);
    this.#wake.resolve();
  }

  /** Ends the loop when it has had every value. */
  end(): void {
    this.#ended ??= {};
    this.#wake.resolve();
  }

  /** Lets the loop throw when it has had every value. */
  fail(error: unknown): void {
    this.#ended ??= { error };
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      while (this.#values.length > 0) yield this.#values.shift() as T;
      if (this.#ended !== undefined) {
        if ('error' in this.#ended) throw this.#ended.error;
        return;
      }
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
  }
}
