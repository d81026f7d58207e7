/** Ages and durations as people read and write them. */
import { describe, expect, it } from 'vitest';
import { age, instantOf, parseDuration, parseMoment } from '../../../runner/output/duration';

const now = new Date('2026-11-21T12:00:00Z');
const [S, M, H, D] = [1000, 60_000, 3_600_000, 86_400_000];

describe('an age', () => {
  // The cases of apimachinery's own test of HumanDuration.
  it.each([
    [S, '1s'],
    [70 * S, '70s'],
    [190 * S, '3m10s'],
    [70 * M, '70m'],
    [47 * H, '47h'],
    [49 * H, '2d1h'],
    [8 * D + 2 * H, '8d'],
    [367 * D, '367d'],
    [365 * 2 * D + 25 * H, '2y1d'],
    [365 * 8 * D + 2 * H, '8y'],
    [0, '0s'],
    [-5 * S, '0s'],
    [10 * M, '10m'],
    [3 * H, '3h'],
    [2 * D, '2d'],
  ])('of %d ms is %s', (ms, expected) => {
    expect(age(new Date(now.getTime() - ms), now)).toBe(expected);
  });
});

describe('a duration', () => {
  it.each([
    ['90s', 90 * S],
    ['1h30m', 90 * M],
    ['26h', 26 * H],
    ['30d', 30 * D],
    ['5d3h', 5 * D + 3 * H],
    ['250ms', 250],
    ['5', undefined],
    ['', undefined],
    ['5w', undefined],
    ['-5m', undefined],
  ])('%s is %s', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });
});

describe('a moment', () => {
  it.each([
    ['24h', '2026-11-20T12:00:00.000Z'],
    ['2026-11-20', '2026-11-20T00:00:00.000Z'],
    ['2026-11-20T03:00:00+01:00', '2026-11-20T02:00:00.000Z'],
    ['2026-13-20', undefined],
    ['yesterday', undefined],
    // Which time zone would that be?
    ['2026-11-20T03:00:00', undefined],
  ])('%s is %s', (text, expected) => {
    const moment = parseMoment(text);
    expect(moment && instantOf(moment, now).toISOString()).toBe(expected);
  });
});
