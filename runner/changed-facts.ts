/** Facts of a server before and after. Pure. */

/** What changed between two observations, in words; a fact that is missing in one of them has changed. */
export function changedFacts(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name} went from ${before[name] ?? 'unknown'} to ${after[name] ?? 'unknown'}`);
}
