/** Facts of a server before and after. Pure. */
import { type ErrorCode, StillpointError } from './errors';

type Facts = Readonly<Record<string, string>>;

/** What changed between two observations, in words; a fact that is missing in one of them has changed. */
export function changedFacts(before: Facts, after: Facts): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name} went from ${before[name] ?? 'unknown'} to ${after[name] ?? 'unknown'}`);
}

/** What is told where something is not as it was looked at. */
export interface Since {
  readonly code: ErrorCode;
  /** What was looked at, as `the server`. */
  readonly what: string;
  readonly hint: string;
}

/** Throws where what was read when a backup looked is not so any more: it would be trusted, or put back. */
export function refuseChanged(before: Facts, now: Facts, { code, what, hint }: Since): void {
  const changed = changedFacts(before, now);
  if (changed.length > 0)
    throw new StillpointError(code, `since the backup looked at ${what} ${changed.join(' and ')}`, { hint });
}

/**
 * Throws server-changed where a server is not what the checks have found, in some of its facts: a session outlives a promotion, and
 * a backup may wait for its turn for long.
 */
export function refuseChangedServer(checked: Facts, now: Facts, names: readonly string[]): void {
  const these = (facts: Facts): Facts => Object.fromEntries(names.map((name) => [name, facts[name] ?? '']));
  refuseChanged(these(checked), these(now), {
    code: 'server-changed',
    what: 'the server',
    hint: 'a failover has happened meanwhile, or somebody has set it: run the backup again',
  });
}
