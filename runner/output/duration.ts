const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** How long ago, exactly as kubectl's AGE (apimachinery, duration.HumanDuration): `42s`, `12m`, `3h5m`, `5d3h`, `41d`. */
export function age(from: Date, now: Date): string {
  return span(now.getTime() - from.getTime());
}

/** A span of time, as kubectl's AGE. */
export function span(length: number): string {
  const ms = Math.max(0, length);
  if (ms < 2 * MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < 10 * MINUTE) return two(ms, [MINUTE, 'm'], [SECOND, 's']);
  if (ms < 3 * HOUR) return `${Math.floor(ms / MINUTE)}m`;
  if (ms < 8 * HOUR) return two(ms, [HOUR, 'h'], [MINUTE, 'm']);
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)}h`;
  if (ms < 8 * DAY) return two(ms, [DAY, 'd'], [HOUR, 'h']);
  if (ms < 2 * YEAR) return `${Math.floor(ms / DAY)}d`;
  if (ms < 8 * YEAR) return two(ms, [YEAR, 'y'], [DAY, 'd']);
  return `${Math.floor(ms / YEAR)}y`;
}

type Unit = readonly [size: number, letter: string];

function two(ms: number, [large, first]: Unit, [small, second]: Unit): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${first}${rest === 0 ? '' : `${rest}${second}`}`;
}

/** A short time as people read it: `84 ms`, `2.51 s`, `31 s`. */
export function shortTime(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 1000)} s`;
}

const FACTORS: Readonly<Record<string, number>> = { d: DAY, h: HOUR, m: MINUTE, s: SECOND, ms: 1 };

/**
 * A duration as kubectl's flags have it, and with days: `90s`, `5m`, `1h30m`, `30d`; undefined when it is none. In
 * milliseconds.
 */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(d|h|ms|m|s))+$/.test(text)) return undefined;
  return [...text.matchAll(/(\d+)(d|ms|h|m|s)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (FACTORS[unit ?? ''] ?? 0),
    0,
  );
}

/** An instant: one that is given, or so many milliseconds ago. */
export type Moment = { readonly at: Date } | { readonly agoMs: number };

/** A moment as `24h`, `30d`, `2026-11-21` or `2026-11-21T02:00:00Z`; undefined when it is none. Days are of UTC, as ids. */
export function parseMoment(text: string): Moment | undefined {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return { agoMs };
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text)) return undefined;
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? undefined : { at };
}

/** The instant that a moment is. */
export function instantOf(moment: Moment, now: Date): Date {
  return 'at' in moment ? moment.at : new Date(now.getTime() - moment.agoMs);
}
