/** When a schedule fires next, as the CronJob controller reckons it. */
import { firesAt, parseCron } from './cron';
import { offsetOf } from './zone-offset';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** As long as robfig/cron looks ahead: the 31st of February never comes. */
const HORIZON = 5 * 366 * DAY;

/** A change of the clocks is never larger: near midnight one goes by the hour, so as to miss none. */
const CAREFUL = 3 * HOUR;

/**
 * The first time after an instant at which a schedule fires; undefined when it never does. Times that the wall clock skips
 * do not come; those that it has twice come twice. Throws a RangeError when the expression or the zone is none.
 */
export function nextRun(expression: string, timeZone: string, after: Date): Date | undefined {
  const cron = parseCron(expression);
  const offset = offsetOf(timeZone);
  const start = (Math.floor(after.getTime() / MINUTE) + 1) * MINUTE;
  for (let at = start; at < start + HORIZON; ) {
    const wall = new Date(at + offset(at));
    if (firesAt(cron, wall)) return new Date(at);
    const anyTime = firesAt({ ...cron, minute: ANY, hour: ANY }, wall);
    const thisHour = anyTime && cron.hour.values.has(wall.getUTCHours());
    at += thisHour ? MINUTE : anyTime ? untilNext(wall, HOUR) : untilLateInTheDay(wall);
  }
  return undefined;
}

const ANY = { values: { has: () => true } as unknown as ReadonlySet<number>, open: true };

function untilNext(wall: Date, step: number): number {
  return step - (wall.getTime() % step);
}

function untilLateInTheDay(wall: Date): number {
  const left = untilNext(wall, DAY);
  return left > CAREFUL ? left - CAREFUL : untilNext(wall, HOUR);
}
