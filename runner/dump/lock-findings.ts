/** What object lock and retention make of each other: said by doctor, since neither fails a dump. Pure. */
import { PERIOD_RULES, type Period, type Retention, type StoreConfig } from '../../src/contract';
import type { Finding } from '../ports';
import type { PlaceLock } from '../storage/object-store';

/** About how long a backup that stands for a period is kept for each one of them. */
const DAYS: Readonly<Record<Period, number>> = { hourly: 1 / 24, daily: 1, weekly: 7, monthly: 30, yearly: 365 };

/** For about how many days each rule keeps what it keeps, where backups come in time; a number of the newest ones says nothing of days. */
function daysOf(retention: Retention): readonly number[] {
  const byPeriod = Object.entries(PERIOD_RULES).map(
    ([period, rule]) => (retention[rule] ?? 0) * DAYS[period as Period],
  );
  return [...byPeriod, (retention.keepWithinSeconds ?? 0) / 86_400].filter((days) => days > 0);
}

/**
 * Where a store locks what is put there for longer than the first backups go, or less long than the last ones stay: by what its
 * config says, else by what the place itself does.
 */
export function lockFindings(
  { s3 }: StoreConfig,
  retention: Retention | undefined,
  place?: PlaceLock,
): readonly Finding[] {
  if (s3?.lock !== undefined && place?.able === false) return [unable(s3.bucket, s3.lock.days)];
  const lock = s3?.lock ?? place?.byDefault;
  if (lock === undefined) return [];
  const { mode, days } = lock;
  const locked = `${s3?.lock === undefined ? 'the place itself locks backups' : 'backups are locked'} for ${days} days`;
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
      message: `${locked}, and the retention gives the first of them up after about ${rounded(first)}: no prune removes them before`,
      hint: 'count with the room that they take until then; or lock for no longer than the shortest rule of the retention keeps',
    });
  }
  if (days < last) {
    findings.push({
      severity: 'warning',
      code: 'lock-mismatch',
      subject,
      message: `${locked}, and the retention keeps some for about ${rounded(last)}: after the lock has ended, whoever may delete in the bucket removes them`,
      hint: 'lock for as long as the longest rule of the retention keeps, in a store of its own if the shorter ones are to go before',
    });
  }
  return findings.length > 0 ? findings : [{ severity: 'ok', code: 'ok', subject, message: `${mode}, ${days} days` }];
}

/** Every upload there fails: a store takes no lock for what it cannot lock. */
function unable(bucket: string, days: number): Finding {
  return {
    severity: 'error',
    code: 'lock-missing',
    subject: 'object lock',
    message: `backups are to be locked for ${days} days, and bucket ${bucket} has no object lock: the store refuses them`,
    hint: 'make a bucket with object lock, which most servers give to new ones alone; or leave lockDays out',
  };
}

const rounded = (days: number): string => `${Math.max(1, Math.round(days))} ${days < 1.5 ? 'day' : 'days'}`;
