/** Facts of a server before and after. Pure. */
import { StillpointError } from './errors';

type Facts = Readonly<Record<string, string>>;

/** What changed between two observations, in words; a fact that is missing in one of them has changed. */
export function changedFacts(before: Facts, after: Facts): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name} went from ${before[name] ?? 'unknown'} to ${after[name] ?? 'unknown'}`);
}

/**
 * Throws server-changed where a server is not what the checks have found, in some of its facts: a session outlives a promotion, and
 * a backup may wait for its turn for long.
 */
export function refuseChangedServer(checked: Facts, now: Facts, names: readonly string[]): void {
  const these = (facts: Facts): Facts => Object.fromEntries(names.map((name) => [name, facts[name] ?? '']));
  const changed = changedFacts(these(checked), these(now));
  if (changed.length === 0) return;
  throw new StillpointError('server-changed', `since the backup looked at the server ${changed.join(' and ')}`, {
    hint: 'a failover has happened meanwhile, or somebody has set it: run the backup again',
  });
}
