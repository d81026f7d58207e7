import { describe, expect, it } from 'vitest';
import { firesAt, parseCron } from '../../src/contract/cron';

const at = (wall: string): Date => new Date(`${wall}Z`);

describe('cron expressions', () => {
  it.each([
    ['30 2 * * *', '2026-03-29T02:30', true],
    ['30 2 * * *', '2026-03-29T02:31', false],
    ['*/15 * * * *', '2026-03-29T02:45', true],
    ['5/20 * * * *', '2026-03-29T02:45', true],
    ['0-10,50 2-4 * * *', '2026-03-29T04:50', true],
    ['0 2 * * 0', '2026-03-29T02:00', true],
    ['0 2 * * MON-fri', '2026-03-29T02:00', false],
    ['0 2 * MAR sun', '2026-03-29T02:00', true],
    ['@daily', '2026-03-29T00:00', true],
    ['@weekly', '2026-03-30T00:00', false],
    // Two day fields: either will do; one of them open: both must fit.
    ['0 2 1 * 0', '2026-03-29T02:00', true],
    ['0 2 1 * *', '2026-03-29T02:00', false],
    ['0 2 */1 * 0', '2026-03-29T02:00', true],
    ['0 2 */1 * 1', '2026-03-29T02:00', false],
  ])('%s at %s: %s', (expression, wall, fires) => {
    expect(firesAt(parseCron(expression), at(wall))).toBe(fires);
  });

  it.each([
    ['30 2 * *', 'it has 4 fields instead of 5'],
    ['0 30 2 * * *', 'it has 6 fields instead of 5'],
    ['60 2 * * *', '"60" is no minute (0 to 59)'],
    ['0 24 * * *', '"24" is no hour (0 to 23)'],
    // Vixie cron has 7 for Sunday; the CronJob controller refuses it.
    ['0 2 * * 7', '"7" is no day of the week (0 to 6)'],
    ['0 4-2 * * *', '"4-2" is no hour'],
    ['*/0 2 * * *', '"*/0" is no minute'],
    ['@every 1h', 'it has 2 fields instead of 5'],
    ['0 x * * *', '"x" is no hour (0 to 23)'],
  ])('refuses %s', (expression, message) => {
    expect(() => parseCron(expression)).toThrow(message);
  });
});
