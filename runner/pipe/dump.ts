/** A tool's output → hash → compression → encryption → hash → a sink. A failure anywhere ends all the rest. */
import { asStillpointError, StillpointError } from '../errors';
import type { Clock, Log } from '../ports';
import type { ToolCommand } from '../tools/tool';
import type { Recipient } from './age-keys';
import { Child } from './child';
import type { Compression } from './compression';
import { Packing, type Passed } from './pack';
import { logProgress } from './progress';
import type { Content } from './stages';

export type { Passed } from './pack';

/**
 * Where a content goes, as an object store's `put`: nothing of it counts until the content has ended, and what was taken
 * is removed again when the content throws or the signal aborts.
 */
export type Sink<T> = (content: Content, signal: AbortSignal) => Promise<T>;

/** How a dump or a restore is run. */
export interface PipeOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly compression: Compression;
  /** About how many plain bytes will come. */
  readonly expectedBytes?: number | undefined;
  readonly graceMs?: number | undefined;
}

export interface DumpOptions extends PipeOptions {
  /** Who may open the dump: each of them alone. It is not encrypted without them. */
  readonly recipients?: readonly Recipient[] | undefined;
}

/** Runs a tool and stores what it writes. The sink hears of the content's end only when the tool has ended well. */
export async function dump<T>(
  command: ToolCommand,
  sink: Sink<T>,
  options: DumpOptions,
): Promise<Passed & { readonly stored: T }> {
  const broken = new AbortController();
  const signal = AbortSignal.any([options.signal, broken.signal]);
  const packing = new Packing();
  let left = false;
  return await Child.during(command, { ...options, signal }, async (child) => {
    using _ = logProgress(options, `dumping by ${command.program}`, () => packing.plainBytes, options.expectedBytes);
    async function* output(): AsyncGenerator<Uint8Array, void> {
      try {
        for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
          child.output.add(chunk);
          let taken = false;
          try {
            yield chunk;
            taken = true;
          } finally {
            left ||= !taken;
          }
        }
      } catch (cut) {
        // How the tool ended says more than that its output was cut.
        if (!left) await child.endedWell();
        throw cut;
      }
      await child.endedWell();
    }
    const content = (): Content => packing.of(command.refine?.(output()) ?? output(), options);
    // Node throws away what nobody has begun to read when a process exits, and a store may take a while to open.
    child.stdout.on('readable', () => undefined);
    // A tool that would ask for something finds nobody there.
    child.stdin.end();
    // A sink that waits for its own server hears of it all the same. One that has left has made the tool fail: it is cleaning up,
    // and knows why.
    child.endedWell().catch((error: unknown) => {
      if (!left) broken.abort(error);
    });
    try {
      const result = await sink(content(), signal);
      signal.throwIfAborted();
      if (!packing.whole)
        throw new StillpointError('stream-broken', `the output of ${command.program} was not taken to its end`);
      return { ...packing.passed(), stored: result };
    } catch (thrown) {
      // The first failure is the cause; what it has ended fails after it.
      throw signal.aborted ? signal.reason : asStillpointError(thrown);
    }
  });
}
