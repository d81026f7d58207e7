const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** How long ago, in the two largest units at most, as kubectl's AGE: `5d3h`, `12m`, `42s`. */
export function age(from: Date, now: Date): string {
  let seconds = Math.max(0, Math.floor((now.getTime() - from.getTime()) / 1000));
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(seconds / size);
    if (count === 0 && parts.length === 0 && unit !== 's') continue;
    if (count > 0 || parts.length === 0) parts.push(`${count}${unit}`);
    seconds -= count * size;
    if (parts.length === 2) break;
  }
  return parts.join('');
}

/** A short time as people read it: `84 ms`, `2.51 s`, `31 s`. */
export function shortTime(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 1000)} s`;
}

/** A duration as kubectl's flags have it: `90s`, `5m`, `1h30m`; undefined when it is none. In milliseconds. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(h|m|s|ms))+$/.test(text)) return undefined;
  const factors: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  return [...text.matchAll(/(\d+)(ms|h|m|s)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (factors[unit ?? ''] ?? 0),
    0,
  );
}
