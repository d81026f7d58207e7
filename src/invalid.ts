import type { IConstruct } from 'constructs';

/**
 * An error at synth: what is wrong, in a sentence that names the construct and the value, and what to change. Thrown by
 * constructors, so that the stack ends at the line of the user's own code.
 *
 * @internal
 */
export function invalid(where: IConstruct | string, what: string, change: string): Error {
  const place = typeof where === 'string' ? where : `"${where.node.path}"`;
  const error = new Error(`${place} ${what}: ${change}`);
  // The first line of the stack is the check that failed, not this one.
  Error.captureStackTrace(error, invalid);
  return error;
}
