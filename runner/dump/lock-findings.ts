/** What object lock and retention make of each other: said by doctor, since neither fails a dump. Pure. */
import { PERIOD_RULES, type Period, type Retention, type StoreConfig } from '../../src/contract';
import type { Finding } from '../ports';

/** About how long a backup that stands for a period is kept for each one of them. */
const DAYS: Readonly<Record<Period, number>> = { hourly: 1 / 24, daily: 1, weekly: 7, monthly: 30, yearly: 365 };

/** For about how many days each rule keeps what it keeps, where backups come in time; a number of the newest ones says nothing of days. */
function daysOf(retention: Retention): readonly number[] {
  const byPeriod = Object.entries(PERIOD_RULES).map(
    ([period, rule]) => (retention[rule] ?? 0) * DAYS[period as Period],
  );
  return [...byPeriod, (retention.keepWithinSeconds ?? 0) / 86_400].filter((days) => days > 0);
}

/** Where a store locks what is put there for longer than the first backups go, or less long than the last ones stay. */
export function lockFindings({ s3 }: StoreConfig, retention: Retention | undefined): readonly Finding[] {
  if (s3?.lock === undefined) return [];
  const { mode, days } = s3.lock;
  const subject = 'object lock';
  if (retention === undefined) return [{ severity: 'ok', code: 'ok', subject, message: `${mode}, ${days} days` }];
  const kept = daysOf(retention);
  if (kept.length === 0) return [];
  const [first, last] = [Math.min(...kept), Math.max(...kept)];
  const findings: Finding[] = [];
  if (days > first) {
    findings.push({
      severity: 'warning',
      code: 'lock-mismatch',
      subject,
      message: `dumps are locked for ${days} days, and the retention gives the first of them up after about ${rounded(first)}: no prune removes them before`,
      hint: 'count with the room that they take until then; or lock for no longer than the shortest rule of the retention keeps',
    });
  }
  if (days < last) {
    findings.push({
      severity: 'warning',
      code: 'lock-mismatch',
      subject,
      message: `dumps are locked for ${days} days, and the retention keeps some for about ${rounded(last)}: after the lock has ended, whoever may delete in the bucket removes them`,
      hint: 'lock for as long as the longest rule of the retention keeps, in a store of its own if the shorter ones are to go before',
    });
  }
  return findings.length > 0 ? findings : [{ severity: 'ok', code: 'ok', subject, message: `${mode}, ${days} days` }];
}

const rounded = (days: number): string => `${Math.max(1, Math.round(days))} ${days < 1.5 ? 'day' : 'days'}`;
