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

/** Whether whoever takes an output has left it before its end. */
interface Leaving {
  left: boolean;
}

/** What a tool writes, refined. Ends only when the tool has ended well. */
function outputOf({ refine }: ToolCommand, child: Child, leaving: Leaving): Content {
  async function* output(): AsyncGenerator<Uint8Array, void> {
    try {
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
        child.output.add(chunk);
        let taken = false;
        try {
          yield chunk;
          taken = true;
        } finally {
          leaving.left ||= !taken;
        }
      }
    } catch (cut) {
      // How the tool ended says more than that its output was cut.
      if (!leaving.left) await child.endedWell();
      throw cut;
    }
    await child.endedWell();
  }
  return refine?.(output()) ?? output();
}

/** Runs a tool, and those that go on after it, and stores what they write. The sink hears of the content's end only when the last has ended well. */
export async function dump<T>(
  command: ToolCommand,
  sink: Sink<T>,
  options: DumpOptions,
): Promise<Passed & { readonly stored: T }> {
  const broken = new AbortController();
  const signal = AbortSignal.any([options.signal, broken.signal]);
  const packing = new Packing();
  const leaving: Leaving = { left: false };
  const attend = (child: Child): void => {
    // Node throws away what nobody has begun to read when a process exits, and a store may take a while to open.
    child.stdout.on('readable', () => undefined);
    // A tool that would ask for something finds nobody there.
    child.stdin.end();
    // A sink that waits for its own server hears of it all the same. One that has left has made the tool fail: it is cleaning up,
    // and knows why.
    child.endedWell().catch((error: unknown) => {
      if (!leaving.left) broken.abort(error);
    });
  };
  return await Child.during(command, { ...options, signal }, async (child) => {
    using _ = logProgress(options, `dumping by ${command.program}`, () => packing.plainBytes, options.expectedBytes);
    async function* outputs(): AsyncGenerator<Uint8Array, void> {
      yield* outputOf(command, child, leaving);
      for (let next = command.next; next !== undefined; next = next.next) {
        await using another = await Child.start(next, { ...options, signal });
        attend(another);
        yield* outputOf(next, another, leaving);
      }
    }
    const written = outputs();
    attend(child);
    try {
      const result = await sink(packing.of(written, options), signal);
      signal.throwIfAborted();
      if (!packing.whole)
        throw new StillpointError('stream-broken', `the output of ${command.program} was not taken to its end`);
      return { ...packing.passed(), stored: result };
    } catch (thrown) {
      // The first failure is the cause; what it has ended fails after it.
      throw signal.aborted ? signal.reason : asStillpointError(thrown);
    } finally {
      // A sink may have left what it was given where it was: the tool that runs by now ends all the same.
      broken.abort(new Error('the work is done'));
      await written.return();
    }
  });
}
