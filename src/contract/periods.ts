/** The hour, day, week, month and year that an instant lies in, by a clock on the wall of some time zone. */

/** The periods that a retention counts in, shortest first. */
export const PERIODS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/** One of {@link PERIODS}. */
export type Period = (typeof PERIODS)[number];

const DAY_MS = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/**
 * The names of the periods around an instant: two instants are in the same period when its name is the same. Weeks are
 * those of ISO 8601, from Monday. An hour has its offset in its name: where clocks go back, the same hour comes twice, and
 * these are two.
 */
export function periodsOf(at: Date, timeZone: string): Readonly<Record<Period, string>> {
  const part = partsOf(at, timeZone);
  const [year, month, day] = [part('year'), part('month'), part('day')];
  const offset = part('timeZoneName').replace('GMT', '') || '+00:00';
  return {
    hourly: `${year}-${month}-${day} ${part('hour')}:00${offset}`,
    daily: `${year}-${month}-${day}`,
    weekly: isoWeek(Number(year), Number(month), Number(day)),
    monthly: `${year}-${month}`,
    yearly: year,
  };
}

function partsOf(at: Date, timeZone: string): (type: Intl.DateTimeFormatPartTypes) => string {
  const parts = formatOf(timeZone).formatToParts(at);
  return (type) => parts.find((part) => part.type === type)?.value ?? '';
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const digits = '2-digit';
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: digits,
    day: digits,
    hour: digits,
    timeZoneName: 'longOffset',
  });
  formats.set(timeZone, format);
  return format;
}

/** The week that a day's Thursday lies in. */
function isoWeek(year: number, month: number, day: number): string {
  const date = Date.UTC(year, month - 1, day);
  const weekday = (new Date(date).getUTCDay() + 6) % 7;
  const thursday = new Date(date + (3 - weekday) * DAY_MS);
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = 1 + Math.floor((thursday.getTime() - first) / DAY_MS / 7);
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}
