/** What a runner's pod said last, by its termination message: the end of its log. Pure. */
import { ERRORS, type ErrorCode, StillpointError } from './errors';

/** The error that the runner ended with, or the last line of what else there is; undefined when it ended without a word. */
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
