/** Which good backups of a policy its retention keeps. Pure: the plan over all records is retention-plan.ts. */
import { type BackupId, backupIdTime } from './names';
import { PERIODS, type Period, periodsOf } from './periods';
import { type Infer, integer, object, optional } from './schema';

const count = (description: string): ReturnType<typeof integer> =>
  integer({ minimum: 0, maximum: 10_000, description });

/** What of a policy's good backups is kept. A backup stays as long as one of these rules keeps it. */
export const RETENTION = object(
  {
    keepLast: optional(count('So many of the newest ones.')),
    keepHourly: optional(count('The newest of each hour, of so many hours that have one.')),
    keepDaily: optional(count('The newest of each day, of so many days that have one.')),
    keepWeekly: optional(count('The newest of each week from Monday, of so many weeks that have one.')),
    keepMonthly: optional(count('The newest of each month, of so many months that have one.')),
    keepYearly: optional(count('The newest of each year, of so many years that have one.')),
    keepWithinSeconds: optional(
      integer({ minimum: 0, description: 'All that are younger than this, counted back from the newest good one.' }),
    ),
  },
  { description: 'What is kept. Whatever it says, the last good and the last verified backup stay.' },
);

export type Retention = Infer<typeof RETENTION>;

/** The name in a retention of the rule for a period. */
export const PERIOD_RULES = {
  hourly: 'keepHourly',
  daily: 'keepDaily',
  weekly: 'keepWeekly',
  monthly: 'keepMonthly',
  yearly: 'keepYearly',
} as const satisfies Record<Period, keyof Retention>;

/** One thing that a rule says of a backup. */
export interface RuleSays {
  readonly rule: keyof Retention;
  readonly keeps: boolean;
  /** Why, as `the newest of 2026-11-25`. */
  readonly text: string;
}

/** Whether a retention keeps anything at all by its own rules. */
export function keepsSomething(retention: Retention): boolean {
  return Object.values(retention).some((value) => (value ?? 0) > 0);
}

/**
 * What each rule of a retention says of each good backup of one policy. The newest of a period stands for it, and periods
 * without a backup do not count: when no new ones come, none of the old go.
 */
export function applyRules(
  ids: readonly BackupId[],
  retention: Retention,
  timeZone: string,
): ReadonlyMap<BackupId, readonly RuleSays[]> {
  const newestFirst = [...new Set(ids)].sort().reverse();
  const said = new Map<BackupId, RuleSays[]>(newestFirst.map((id) => [id, []]));
  const say = (id: BackupId, what: RuleSays): void => void said.get(id)?.push(what);
  lastRule(newestFirst, retention, say);
  withinRule(newestFirst, retention, say);
  const periods = new Map(newestFirst.map((id) => [id, periodsOf(backupIdTime(id), timeZone)]));
  for (const period of PERIODS) {
    periodRule(newestFirst, (id) => periods.get(id)?.[period] ?? '', { rule: PERIOD_RULES[period], retention, say });
  }
  return said;
}

type Say = (id: BackupId, what: RuleSays) => void;

function lastRule(newestFirst: readonly BackupId[], { keepLast = 0 }: Retention, say: Say): void {
  if (keepLast === 0) return;
  for (const [index, id] of newestFirst.entries()) {
    const keeps = index < keepLast;
    say(id, {
      rule: 'keepLast',
      keeps,
      text: keeps ? `${ordinal(index + 1)} of ${keepLast}` : `${keepLast} are newer`,
    });
  }
}

function withinRule(newestFirst: readonly BackupId[], { keepWithinSeconds: seconds = 0 }: Retention, say: Say): void {
  const [newest] = newestFirst;
  if (seconds === 0 || newest === undefined) return;
  const since = backupIdTime(newest).getTime() - seconds * 1000;
  for (const id of newestFirst) {
    const keeps = backupIdTime(id).getTime() >= since;
    say(id, { rule: 'keepWithinSeconds', keeps, text: `${keeps ? 'not' : 'from'} before ${timeText(since)}` });
  }
}

function periodRule(
  newestFirst: readonly BackupId[],
  periodOf: (id: BackupId) => string,
  { rule, retention, say }: { readonly rule: keyof Retention; readonly retention: Retention; readonly say: Say },
): void {
  const limit = retention[rule] ?? 0;
  if (limit === 0) return;
  const newestOf = new Map<string, BackupId>();
  for (const id of newestFirst) {
    const period = periodOf(id);
    const newer = newestOf.get(period);
    if (newer === undefined) newestOf.set(period, id);
    const beyond = newestOf.size > limit;
    say(id, { rule, keeps: newer === undefined && !beyond, text: periodText(period, newer, beyond, limit) });
  }
}

function periodText(period: string, newer: BackupId | undefined, beyond: boolean, limit: number): string {
  if (newer !== undefined) return `${newer} is newer in ${period}`;
  return beyond ? `${period} is older than the newest ${limit} that have one` : `the newest of ${period}`;
}

function ordinal(index: number): string {
  return index === 1 ? 'the newest' : `number ${index}`;
}

function timeText(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z');
}
