/** What a time zone does to a schedule. Node's own tables (Intl) know the zones; nothing else is needed. */

import { offsetOf } from './contract/zone-offset';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Times of the wall clock that do not exist in a zone, because the clocks go forward over them; as if they were UTC. */
export interface SkippedTimes {
  readonly from: Date;
  readonly until: Date;
}

/**
 * The name of a time zone as the time zone database has it; undefined when there is none of that name. Intl takes any
 * capitals, the API server does not: so the name may differ from the one that was asked for.
 */
export function timeZoneName(name: string): string | undefined {
  // Intl also takes offsets such as +01:00, which a CronJob does not.
  if (!/^[A-Za-z]/.test(name)) return undefined;
  try {
    const known = new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
    // An alias (Asia/Calcutta) may come back under its newer name: it is a name of its own.
    return known.toLowerCase() === name.toLowerCase() ? known : name;
  } catch {
    return undefined;
  }
}

const cache = new Map<string, readonly SkippedTimes[]>();

/** All times that a zone's wall clock skips in the year that begins at an instant. */
export function skippedTimes(timeZone: string, from: Date): readonly SkippedTimes[] {
  // By the day: a thousand policies of one zone look through the year once.
  const day = Math.floor(from.getTime() / DAY);
  const key = `${timeZone} ${day}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const found = [...findSkipped(timeZone, day * DAY)];
  cache.set(key, found);
  return found;
}

function* findSkipped(timeZone: string, start: number): Generator<SkippedTimes> {
  const offset = offsetOf(timeZone);
  let before = offset(start);
  for (let at = start; at < start + 366 * DAY; at += DAY) {
    const after = offset(at + DAY);
    if (after > before) {
      const change = firstWith(offset, after, at, at + DAY);
      yield { from: new Date(change + before), until: new Date(change + after) };
    }
    before = after;
  }
}

/** The first minute in (from, until] at which the offset holds. */
function firstWith(offset: (at: number) => number, wanted: number, from: number, until: number): number {
  let low = from;
  let high = until;
  while (high - low > MINUTE) {
    const middle = low + Math.floor((high - low) / 2 / MINUTE) * MINUTE;
    if (offset(middle) === wanted) high = middle;
    else low = middle;
  }
  return high;
}
