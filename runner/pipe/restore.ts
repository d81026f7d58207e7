/**
 * A stored content → hash → decryption → decompression → hash → a tool's input. The tool hears of the end only when all
 * hashes agree, and the encryption was authentic to its end.
 */
import { once } from 'node:events';
import { asStillpointError, StillpointError } from '../errors';
import type { ToolCommand } from '../tools/tool';
import type { Identity } from './age-keys';
import { Child } from './child';
import { codecOf } from './compression';
import type { Passed, PipeOptions } from './dump';
import { decrypted } from './encryption';
import { logProgress } from './progress';
import { type Content, Measure } from './stages';

/** How a stored content is opened. */
export interface Opening extends Pick<PipeOptions, 'compression'> {
  /** What opens an encrypted dump: one of them is enough. Left out for one that is not encrypted. */
  readonly identities?: readonly Identity[] | undefined;
}

/** Throws stream-broken unless a content is, byte for byte, what the record says was written. */
function confirm(what: string, measure: Measure, bytes: number, sha256: string): void {
  if (measure.bytes !== bytes) {
    throw new StillpointError(
      'stream-broken',
      `${what} has ${measure.bytes} bytes, and had ${bytes} when it was written`,
    );
  }
  const found = measure.sha256();
  if (found !== sha256) {
    throw new StillpointError(
      'stream-broken',
      `${what} has the sha256 ${found}, and had ${sha256} when it was written`,
    );
  }
}

/** Reads a stored content to its end, without opening it; throws stream-broken unless it is as it was written. */
export async function confirmStored(content: Content, written: Passed): Promise<void> {
  const stored = new Measure();
  for await (const _ of stored.of(content));
  confirm('the stored dump', stored, written.storedBytes, written.storedSha256);
}

/**
 * The plain content of a stored one. Ends only when everything is as it was written; throws stream-broken, or what
 * {@link decrypted} throws, otherwise.
 */
export async function* opened(
  content: Content,
  written: Passed,
  { compression, identities }: Opening,
): AsyncGenerator<Uint8Array, void> {
  const [stored, plain] = [new Measure(), new Measure()];
  let read = false;
  async function* packed(): AsyncGenerator<Uint8Array, void> {
    yield* identities === undefined ? stored.of(content) : decrypted(stored.of(content), identities);
    read = true;
  }
  try {
    yield* plain.of(codecOf(compression).decompress(packed()));
  } catch (thrown) {
    // What cannot be decompressed is not what was written. A store's own errors say themselves what they are.
    const code = (thrown as { readonly code?: unknown } | undefined)?.code;
    if (thrown instanceof StillpointError || !/^(Z|ZSTD|ERR_ZLIB|ERR_ZSTD)_/.test(String(code))) throw thrown;
    throw new StillpointError(
      'stream-broken',
      `the stored dump cannot be decompressed: ${asStillpointError(thrown).message}`,
      {
        cause: thrown,
      },
    );
  }
  // A decompressor may be done before what is read has come to its end, and was found authentic.
  if (!read) throw new StillpointError('stream-broken', 'the stored dump goes on after the end of the dump in it');
  confirm('the stored dump', stored, written.storedBytes, written.storedSha256);
  confirm('the dump', plain, written.plainBytes, written.plainSha256);
}

/**
 * Runs a tool on what was dumped. A tool that works in one transaction commits when its input ends: when something is
 * wrong it is killed first, so that it never sees an end.
 */
export async function restore(
  command: ToolCommand,
  content: Content,
  written: Passed,
  options: PipeOptions & Opening,
): Promise<void> {
  let bytes = 0;
  let whole = false;
  await Child.during(command, options, async (child) => {
    using _ = logProgress(options, `restoring by ${command.program}`, () => bytes, written.plainBytes);
    const gone = new AbortController();
    const ended = child.endedWell().finally(() => gone.abort(new Error('the tool has ended')));
    ended.catch(() => undefined);
    child.stdout.resume();
    async function* dumped(): AsyncGenerator<Uint8Array, void> {
      for await (const chunk of opened(content, written, options)) {
        bytes += chunk.length;
        yield chunk;
      }
      whole = true;
    }
    try {
      for await (const chunk of command.refine?.(dumped()) ?? dumped()) {
        gone.signal.throwIfAborted();
        if (!child.stdin.write(chunk)) await once(child.stdin, 'drain', { signal: gone.signal });
      }
      gone.signal.throwIfAborted();
      if (!whole) throw new StillpointError('stream-broken', 'the dump was not read to its end');
    } catch (thrown) {
      options.signal.throwIfAborted();
      // A tool that has ended by itself says why; one that ended well before its input did has not read it.
      if (gone.signal.aborted || child.stdin.errored !== null) {
        await ended;
        throw new StillpointError('stream-broken', `${command.program} ended before it had read the whole dump`);
      }
      await child.kill();
      throw asStillpointError(thrown);
    }
    child.stdin.end();
    await ended.catch((error: unknown) => {
      options.signal.throwIfAborted();
      throw error;
    });
  });
}
