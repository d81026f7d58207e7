/** The lines of a manifest on their way into a store, while the archive that they are about is on its own. */
import { type ManifestLine, manifestText } from '../archive/manifest';

/** About as much as is handed on at a time. */
const CHUNK_CHARACTERS = 64 * 1024;

/** Takes lines as they come, and gives them when they are asked for. Ends when it is told that all were told. */
export class Lines {
  #text = '';
  #end: { readonly error?: unknown } | undefined;
  #wake: () => void = () => undefined;

  add(line: ManifestLine): void {
    this.#text += manifestText(line);
    if (this.#text.length >= CHUNK_CHARACTERS) this.#wake();
  }

  /** There are no more; with an error, what was given so far counts for nothing. */
  end(error?: unknown): void {
    this.#end ??= error === undefined ? {} : { error };
    this.#wake();
  }

  async *content(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      if (this.#end?.error !== undefined) throw this.#end.error;
      if (this.#text.length >= CHUNK_CHARACTERS || (this.#end !== undefined && this.#text !== '')) {
        const text = this.#text;
        this.#text = '';
        yield Buffer.from(text);
      } else if (this.#end === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else return;
    }
  }
}
