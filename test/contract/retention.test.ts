/** What the rules of a retention keep, in tables. */
import { describe, expect, test } from 'vitest';
import { applyRules, backupId, type Retention } from '../../src/contract';

const HOUR = 3_600_000;

/** Ids of backups at even distances, the newest last. */
function ids(count: number, everyMs: number, until: string): readonly string[] {
  const end = Date.parse(until);
  return Array.from({ length: count }, (_, index) => backupId(new Date(end - (count - 1 - index) * everyMs)));
}

function kept(of: readonly string[], retention: Retention, timeZone = 'Etc/UTC'): readonly string[] {
  const says = applyRules(of, retention, timeZone);
  return [...says].filter(([, said]) => said.some(({ keeps }) => keeps)).map(([id]) => id);
}

/** `20261125020000` as `11-25 02:00`. */
const short = (id: string): string => `${id.slice(4, 6)}-${id.slice(6, 8)} ${id.slice(8, 10)}:${id.slice(10, 12)}`;

const NIGHTS = ids(500, 24 * HOUR, '2026-11-25T02:00:00Z');
const HOURS = ids(24 * 60, HOUR, '2026-11-25T18:00:00Z');

const TABLE: readonly [what: string, of: readonly string[], retention: Retention, kept: readonly string[]][] = [
  ['nothing by no rule', NIGHTS, {}, []],
  ['nothing by rules of 0', NIGHTS, { keepLast: 0, keepDaily: 0 }, []],
  ['the last three', NIGHTS, { keepLast: 3 }, ['11-25 02:00', '11-24 02:00', '11-23 02:00']],
  ['all of fewer than there may be', NIGHTS.slice(0, 2), { keepLast: 3 }, NIGHTS.slice(0, 2).map(short).reverse()],
  ['the newest of each day', HOURS, { keepDaily: 3 }, ['11-25 18:00', '11-24 23:00', '11-23 23:00']],
  ['the newest of each hour', HOURS, { keepHourly: 2 }, ['11-25 18:00', '11-25 17:00']],
  ['the newest of each week, this one too', NIGHTS, { keepWeekly: 3 }, ['11-25 02:00', '11-22 02:00', '11-15 02:00']],
  ['the newest of each month', NIGHTS, { keepMonthly: 3 }, ['11-25 02:00', '10-31 02:00', '09-30 02:00']],
  ['the newest of each year', NIGHTS, { keepYearly: 5 }, ['11-25 02:00', '12-31 02:00']],
  ['what is not older', NIGHTS, { keepWithinSeconds: 86_400 }, ['11-25 02:00', '11-24 02:00']],
  ['what is not older, to the second', NIGHTS, { keepWithinSeconds: 86_399 }, ['11-25 02:00']],
];

describe('a retention keeps', () => {
  test.each(TABLE)('%s', (_, of, retention, expected) => {
    expect(kept(of, retention).map(short)).toEqual(expected);
  });

  test('7 days, 4 weeks and 12 months: a year in 20 backups', () => {
    expect(kept(NIGHTS, { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 }).map(short)).toEqual([
      ...['11-25', '11-24', '11-23', '11-22', '11-21', '11-20', '11-19'].map((day) => `${day} 02:00`),
      ...['11-15', '11-08', '10-31', '09-30', '08-31', '07-31', '06-30', '05-31', '04-30', '03-31', '02-28'].map(
        (day) => `${day} 02:00`,
      ),
      '01-31 02:00',
      '12-31 02:00',
    ]);
  });

  test('30 days, whatever the rhythm was', () => {
    expect(kept(NIGHTS, { keepWithinSeconds: 30 * 86_400 })).toHaveLength(31);
    expect(kept(HOURS, { keepWithinSeconds: 30 * 86_400 })).toHaveLength(30 * 24 + 1);
  });

  test('as much when no new ones come: periods without a backup do not count', () => {
    const sparse = ['20240101020000', '20250601020000', '20261125020000'];
    expect(kept(sparse, { keepDaily: 3 })).toHaveLength(3);
    expect(kept(sparse, { keepHourly: 2 })).toEqual(['20261125020000', '20250601020000']);
  });
});

describe('days are those of the time zone', () => {
  // 23:30 and 00:30 in Berlin: of two days there, of one in UTC.
  const around = ['20261124223000', '20261124233000'];

  test('two there, one in UTC', () => {
    expect(kept(around, { keepDaily: 2 }, 'Europe/Berlin')).toHaveLength(2);
    expect(kept(around, { keepDaily: 2 })).toEqual(['20261124233000']);
  });

  test('hourly backups of the day with 25 hours are all kept by 25 hours, and of the one with 23 by 23', () => {
    const autumn = ids(25, HOUR, '2026-10-25T22:00:00Z');
    expect(kept(autumn, { keepDaily: 1 }, 'Europe/Berlin')).toEqual(['20261025220000']);
    expect(kept(autumn, { keepHourly: 25 }, 'Europe/Berlin')).toHaveLength(25);
    expect(kept(autumn, { keepHourly: 24 }, 'Europe/Berlin')).toHaveLength(24);
    const spring = ids(23, HOUR, '2026-03-29T21:00:00Z');
    expect(kept(spring, { keepDaily: 1 }, 'Europe/Berlin')).toEqual(['20260329210000']);
    expect(kept(spring, { keepDaily: 2 }, 'Europe/Berlin')).toHaveLength(1);
    expect(kept(spring, { keepHourly: 23 }, 'Europe/Berlin')).toHaveLength(23);
  });

  test('nightly backups at 02:30 in Berlin are one a day, over both changes of the clocks', () => {
    // The night of 2026-03-29 has no 02:30: the CronJob leaves it out. That of 2026-10-25 has two.
    const spring = ['20260327013000', '20260328013000', '20260330003000', '20260331003000'];
    expect(kept(spring, { keepDaily: 4 }, 'Europe/Berlin')).toHaveLength(4);
    const autumn = ['20261024003000', '20261025003000', '20261025013000', '20261026013000'];
    expect(kept(autumn, { keepDaily: 4 }, 'Europe/Berlin')).toEqual([
      '20261026013000',
      '20261025013000',
      '20261024003000',
    ]);
  });
});

test('every rule says why, for and against', () => {
  const says = applyRules(['20261123020000', '20261124020000', '20261124140000'], { keepLast: 1, keepDaily: 1 }, 'UTC');
  expect([...says].map(([id, said]) => [id, said.map(({ rule, keeps, text }) => `${rule} ${keeps} ${text}`)])).toEqual([
    ['20261124140000', ['keepLast true the newest of 1', 'keepDaily true the newest of 2026-11-24']],
    ['20261124020000', ['keepLast false 1 are newer', 'keepDaily false 20261124140000 is newer in 2026-11-24']],
    [
      '20261123020000',
      ['keepLast false 1 are newer', 'keepDaily false 2026-11-23 is older than the newest 1 that have one'],
    ],
  ]);
});
