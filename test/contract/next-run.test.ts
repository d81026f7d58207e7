/** When a schedule fires next, in its time zone and across the changes of its clocks. */
import { describe, expect, it } from 'vitest';
import { nextRun } from '../../src/contract';

describe('the next run', () => {
  it.each([
    ['17 2 * * *', 'Etc/UTC', '2026-11-21T12:00:00Z', '2026-11-22T02:17:00.000Z'],
    ['17 2 * * *', 'Etc/UTC', '2026-11-21T02:16:59Z', '2026-11-21T02:17:00.000Z'],
    ['17 2 * * *', 'Etc/UTC', '2026-11-21T02:17:00Z', '2026-11-22T02:17:00.000Z'],
    ['17 2 * * *', 'Europe/Berlin', '2026-11-21T12:00:00Z', '2026-11-22T01:17:00.000Z'],
    ['0 0 1 1 *', 'Asia/Tokyo', '2026-11-21T12:00:00Z', '2026-12-31T15:00:00.000Z'],
    ['*/15 * * * *', 'Asia/Kolkata', '2026-11-21T12:01:00Z', '2026-11-21T12:15:00.000Z'],
    ['0 2 29 2 *', 'Etc/UTC', '2026-11-21T12:00:00Z', '2028-02-29T02:00:00.000Z'],
    ['0 4 * * 0', 'Etc/UTC', '2026-11-21T12:00:00Z', '2026-11-22T04:00:00.000Z'],
    // The clocks go forward over 02:30 on 29 March: that run is left out.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T00:30:00.000Z'],
    // Midnight of the short day, and of the long one, is not missed.
    ['0 0 * * *', 'Europe/Berlin', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00.000Z'],
    ['0 0 * * 1', 'Europe/Berlin', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00.000Z'],
    ['0 0 * * 1', 'Europe/Berlin', '2026-10-24T23:00:00Z', '2026-10-25T23:00:00.000Z'],
    // In zones where the short day begins at one.
    ['30 1 * * *', 'America/Santiago', '2026-09-05T12:00:00Z', '2026-09-06T04:30:00.000Z'],
    // 02:30 comes twice on 25 October.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z'],
    ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T01:30:00.000Z'],
    ['@hourly', 'Australia/Lord_Howe', '2026-04-04T14:10:00Z', '2026-04-04T15:30:00.000Z'],
  ])('of %s in %s after %s is %s', (expression, zone, after, expected) => {
    expect(nextRun(expression, zone, new Date(after))?.toISOString()).toBe(expected);
  });

  it('of the 31st of February never comes', () => {
    expect(nextRun('0 0 31 2 *', 'Europe/Berlin', new Date('2026-11-21T12:00:00Z'))).toBeUndefined();
  });

  it('of what is no schedule is refused', () => {
    expect(() => nextRun('0 0 * *', 'Etc/UTC', new Date(0))).toThrow(RangeError);
  });
});
