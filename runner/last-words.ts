/** What a runner's pod says last, in its termination message. */
import { stat, writeFile } from 'node:fs/promises';
import { ERRORS, type ErrorCode, StillpointError } from './errors';
import { firstThatFits, LIMIT_BYTES, shortened, TERMINATION_LOG } from './restore/outcome';

/** A stream that keeps the last lines that went through it. */
export class LastLines {
  #lines: readonly string[] = [];

  constructor(private readonly stream: { write(text: string): unknown }) {}

  /** One line, with its end. */
  write(line: string): void {
    this.#lines = lastThatFit([...this.#lines, line], LIMIT_BYTES);
    this.stream.write(line);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }
}

function lastThatFit(lines: readonly string[], bytes: number): readonly string[] {
  let left = bytes;
  const from = lines.findLastIndex((line) => {
    left -= Buffer.byteLength(line);
    return left < 0;
  });
  return lines.slice(from + 1);
}

/**
 * Writes what came before an error, and the error, where the kubelet reads it when the container has ended. Without that it
 * takes the end of the log, which may be gone before it looks: whoever waits for the pod would not learn why it failed. What
 * a command has left there stays.
 */
export async function leaveLastWords(
  error: StillpointError,
  before: readonly string[],
  file = TERMINATION_LOG,
): Promise<void> {
  const { code, message, hint, exitCode } = error;
  const last = firstThatFits([
    { code, message, hint, exitCode },
    { code, message: shortened(message, 800), exitCode },
  ]);
  const text = [...lastThatFit(before, LIMIT_BYTES - Buffer.byteLength(last)), last].join('');
  try {
    if ((await stat(file)).size === 0) await writeFile(file, text);
  } catch {
    // No container, or one whose kubelet reads the log.
  }
}

/** Pure. The error that the runner ended with, or the last line of what else there is; undefined when it ended without a word. */
export function lastWords(message: string | undefined): StillpointError | string | undefined {
  const lines = (message ?? '').split('\n').filter((line) => line.trim() !== '');
  for (const line of lines.toReversed()) {
    const error = errorIn(line);
    if (error !== undefined) return error;
  }
  return lines.at(-1)?.trim();
}

/** The line that {@link StillpointError}s are reported by: that of a check or a warning has a code, but no exit code. */
function errorIn(line: string): StillpointError | undefined {
  try {
    const { code, message, hint, exitCode } = JSON.parse(line) as Record<string, unknown>;
    if (typeof code !== 'string' || typeof message !== 'string' || !Number.isInteger(exitCode)) return undefined;
    if (!Object.hasOwn(ERRORS, code)) return undefined;
    return new StillpointError(code as ErrorCode, message, typeof hint === 'string' ? { hint } : {});
  } catch {
    return undefined;
  }
}
