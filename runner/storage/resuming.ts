/** Reading an object over connections that break. */
import { StillpointError } from '../errors';
import type { ByteRange } from './object-store';
import type { Retrying } from './retrying';

/** The answer to one request for an object, or for what is left of it. */
export interface OpenedObject {
  readonly body: AsyncIterable<Uint8Array>;
  /** How many bytes it has. */
  readonly bytes: number;
  readonly version: string;
}

/** How an object is asked for. */
export interface Resuming {
  readonly range?: ByteRange | undefined;
  readonly signal: AbortSignal;
  readonly retrying: Retrying;
  /** Translates what a connection throws in mid-stream. */
  readonly translate: (error: unknown) => unknown;
  /** Asks for a range; with a version, for that one and no other: `object-changed` otherwise. */
  readonly open: (range: ByteRange, signal: AbortSignal, version: string | undefined) => Promise<OpenedObject>;
}

/** Opens an object; its bytes come over as many connections as it takes. */
export async function openResuming(resuming: Resuming): Promise<AsyncIterable<Uint8Array>> {
  const { range = { start: 0 } } = resuming;
  const first = await ask(resuming, range, undefined);
  return follow(resuming, first, range.start);
}

async function* follow(resuming: Resuming, first: OpenedObject, start: number): AsyncGenerator<Uint8Array, void> {
  const end = start + first.bytes;
  let opened = first;
  let at = start;
  for (;;) {
    try {
      for await (const chunk of opened.body) {
        at += chunk.length;
        yield chunk;
      }
      if (at === end) return;
      throw new StillpointError(
        'store-unreachable',
        `the store ended the answer after ${at - start} of ${end - start} bytes`,
      );
    } catch (error) {
      if (at === end) return;
      resuming.signal.throwIfAborted();
      const translated = resuming.translate(error);
      if (!(translated instanceof StillpointError) || !translated.retryable) throw translated;
    }
    opened = await ask(resuming, { start: at, end }, first.version);
  }
}

/** The time limit of a try ends with the try: the answer's bytes come under the caller's signal alone. */
async function ask(resuming: Resuming, range: ByteRange, version: string | undefined): Promise<OpenedObject> {
  const { retrying, signal, open } = resuming;
  return await retrying.run({ signal }, async (limited) => await open(range, limited, version));
}
