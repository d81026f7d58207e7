/** Asks the person at the terminal. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { StillpointError } from '../errors';

/**
 * Yes is `y` or `yes`; anything else is no, and so is a terminal that is closed (^D), or none. The terminal itself edits the
 * line, so that ^C stays the signal that it is everywhere else. Throws what that signal brings.
 */
export async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return false;
  signal.throwIfAborted();
  process.stderr.write(`${question} [y/N] `);
  const lines = createInterface({ input: process.stdin, terminal: false });
  try {
    const answer = await Promise.race([once(lines, 'line', { signal }), once(lines, 'close', { signal })]);
    if (answer.length === 0) process.stderr.write('\n');
    return /^y(es)?$/i.test(String(answer[0] ?? '').trim());
  } catch (thrown) {
    process.stderr.write('\n');
    throw signal.reason instanceof StillpointError ? signal.reason : thrown;
  } finally {
    lines.close();
  }
}
