import { describe, expect, test } from 'vitest';
import { PERIODS, periodsOf } from '../../src/contract';

const CASES: readonly [at: string, timeZone: string, names: readonly string[]][] = [
  ['2026-11-25T18:55:00Z', 'Etc/UTC', ['2026-11-25 18:00+00:00', '2026-11-25', '2026-W48', '2026-11', '2026']],
  ['2026-11-25T23:30:00Z', 'Europe/Berlin', ['2026-11-26 00:00+01:00', '2026-11-26', '2026-W48', '2026-11', '2026']],
  ['2026-11-25T18:55:00Z', 'Asia/Kathmandu', ['2026-11-26 00:00+05:45', '2026-11-26', '2026-W48', '2026-11', '2026']],
  // Weeks begin on Monday, and belong to the year of their Thursday.
  ['2026-11-29T23:59:59Z', 'Etc/UTC', ['2026-11-29 23:00+00:00', '2026-11-29', '2026-W48', '2026-11', '2026']],
  ['2026-11-30T00:00:00Z', 'Etc/UTC', ['2026-11-30 00:00+00:00', '2026-11-30', '2026-W49', '2026-11', '2026']],
  ['2027-01-03T12:00:00Z', 'Etc/UTC', ['2027-01-03 12:00+00:00', '2027-01-03', '2026-W53', '2027-01', '2027']],
  ['2025-12-29T12:00:00Z', 'Etc/UTC', ['2025-12-29 12:00+00:00', '2025-12-29', '2026-W01', '2025-12', '2025']],
];

test.each(CASES)('%s in %s', (at, timeZone, names) => {
  const periods = periodsOf(new Date(at), timeZone);
  expect(PERIODS.map((period) => periods[period])).toEqual(names);
});

describe('where clocks change', () => {
  const hours = (from: string, count: number): readonly string[] =>
    Array.from({ length: count }, (_, hour) => periodsOf(new Date(Date.parse(from) + hour * 3_600_000), BERLIN).hourly);
  const BERLIN = 'Europe/Berlin';

  test('the hour that comes twice on 2026-10-25 is two hours, and the day has 25', () => {
    expect(hours('2026-10-24T23:30:00Z', 4)).toEqual([
      '2026-10-25 01:00+02:00',
      '2026-10-25 02:00+02:00',
      '2026-10-25 02:00+01:00',
      '2026-10-25 03:00+01:00',
    ]);
    expect(new Set(hours('2026-10-24T22:00:00Z', 25)).size).toBe(25);
    const days = hours('2026-10-24T22:00:00Z', 26).map((hour) => hour.slice(0, 10));
    expect(days.filter((day) => day === '2026-10-25')).toHaveLength(25);
  });

  test('the hour that 2026-03-29 has not is none, and the day has 23', () => {
    expect(hours('2026-03-29T00:30:00Z', 2)).toEqual(['2026-03-29 01:00+01:00', '2026-03-29 03:00+02:00']);
    const days = hours('2026-03-28T23:00:00Z', 24).map((hour) => hour.slice(0, 10));
    expect(days.filter((day) => day === '2026-03-29')).toHaveLength(23);
  });
});
