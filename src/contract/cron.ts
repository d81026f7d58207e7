/**
 * Cron expressions as the CronJob controller reads them: five fields, names of months and days, `*`, `?`, lists, ranges
 * and steps, Sunday is 0. Source of the rules: robfig/cron v3, which Kubernetes uses.
 */

interface FieldKind {
  readonly what: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const FIELDS: readonly FieldKind[] = [
  { what: 'minute', min: 0, max: 59 },
  { what: 'hour', min: 0, max: 23 },
  { what: 'day of the month', min: 1, max: 31 },
  { what: 'month', min: 1, max: 12, names: MONTHS },
  { what: 'day of the week', min: 0, max: 6, names: DAYS },
];

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

interface Field {
  readonly values: ReadonlySet<number>;
  /** Whether it was left open: an open day field does not widen the other one. */
  readonly open: boolean;
}

/** A cron expression, taken apart. */
export interface Cron {
  readonly minute: Field;
  readonly hour: Field;
  readonly dayOfMonth: Field;
  readonly month: Field;
  readonly dayOfWeek: Field;
}

/** Takes a cron expression apart. Throws a RangeError that says which field is wrong. */
export function parseCron(expression: string): Cron {
  const parts = (MACROS[expression.trim()] ?? expression).trim().split(/\s+/);
  const wrongNumber = new RangeError(`it has ${parts.length} fields instead of ${FIELDS.length}`);
  if (parts.length !== FIELDS.length) throw wrongNumber;
  const [minute, hour, dayOfMonth, month, dayOfWeek] = FIELDS.map((kind, index) =>
    parseField(parts[index] ?? '', kind),
  );
  if (!minute || !hour || !dayOfMonth || !month || !dayOfWeek) throw wrongNumber;
  return { minute, hour, dayOfMonth, month, dayOfWeek };
}

/** Tells whether a schedule fires at a time of the wall clock, given as if it were UTC. */
export function firesAt(cron: Cron, wall: Date): boolean {
  const dayOfMonth = cron.dayOfMonth.values.has(wall.getUTCDate());
  const dayOfWeek = cron.dayOfWeek.values.has(wall.getUTCDay());
  const day = cron.dayOfMonth.open || cron.dayOfWeek.open ? dayOfMonth && dayOfWeek : dayOfMonth || dayOfWeek;
  return (
    day &&
    cron.minute.values.has(wall.getUTCMinutes()) &&
    cron.hour.values.has(wall.getUTCHours()) &&
    cron.month.values.has(wall.getUTCMonth() + 1)
  );
}

function parseField(text: string, kind: FieldKind): Field {
  const items = text.split(',');
  return {
    values: new Set(items.flatMap((item) => parseItem(item, kind))),
    open: items.some((item) => /^[*?](\/1)?$/.test(item)),
  };
}

function parseItem(item: string, kind: FieldKind): number[] {
  const [, range = '', step] = /^([^/]+)(?:\/(\d+))?$/.exec(item) ?? [];
  const [from, to] = parseRange(range, step !== undefined, kind);
  const by = step === undefined ? 1 : Number(step);
  if (by < 1 || from > to) throw wrong(item, kind);
  return Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, index) => from + index * by);
}

function parseRange(range: string, stepped: boolean, kind: FieldKind): readonly [number, number] {
  if (range === '*' || range === '?') return [kind.min, kind.max];
  const [first = '', last, ...rest] = range.split('-');
  if (rest.length > 0) throw wrong(range, kind);
  const from = parseValue(first, kind);
  if (last !== undefined) return [from, parseValue(last, kind)];
  return [from, stepped ? kind.max : from];
}

function parseValue(text: string, kind: FieldKind): number {
  const named = kind.names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + kind.min;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= kind.min && value <= kind.max) return value;
  throw wrong(text, kind);
}

function wrong(text: string, kind: FieldKind): RangeError {
  return new RangeError(`"${text}" is no ${kind.what} (${kind.min} to ${kind.max})`);
}
