/** What findings come to. Pure. */
import { StillpointError } from './errors';
import type { Finding } from './ports';

export function isError({ severity }: Finding): boolean {
  return severity === 'error';
}

/**
 * Throws the first error among findings: the others stand in the log. Where all of them stand above it with their hints
 * already, it says no more than `said`.
 */
export function refuseOnErrors(findings: readonly Finding[], said?: (errors: number) => string): void {
  const errors = findings.filter(isError);
  const [first] = errors;
  if (first === undefined) return;
  const code = first.code === 'ok' ? 'internal' : first.code;
  if (said !== undefined) throw new StillpointError(code, said(errors.length));
  throw new StillpointError(code, first.message, first.hint === undefined ? {} : { hint: first.hint });
}
