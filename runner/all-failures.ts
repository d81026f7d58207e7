/** Works that are all tried, and what becomes of those that fail. */
import { asStillpointError, StillpointError } from './errors';

/** Throws what has failed: the one failure as it is, of several the first with the messages of all. */
export function throwFailures(outcomes: readonly PromiseSettledResult<unknown>[]): void {
  const failures = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [asStillpointError(outcome.reason)] : [],
  );
  const [first, ...others] = failures;
  if (first === undefined) return;
  const messages = new Set(failures.map(({ message }) => message));
  if (others.length === 0 || messages.size === 1) throw first;
  throw new StillpointError(first.code, [...messages].join('; '), {
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    cause: first,
  });
}
