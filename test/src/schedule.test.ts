import { Testing } from 'cdk8s';
import { BackupSchedule, Weekday } from 'stillpoint';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkTimeZone } from '../../src/schedule';
import { skippedTimes, timeZoneName } from '../../src/time-zone';
import { only, policy, shop, synth } from './synth';

const MARCH = new Date('2026-03-01T00:00:00Z');

describe('schedules', () => {
  it.each([
    [BackupSchedule.daily({ hour: 2, minute: 30 }), '30 2 * * *'],
    [BackupSchedule.hourly({ minute: 0 }), '0 * * * *'],
    [BackupSchedule.weekly({ weekday: Weekday.SUNDAY, hour: 4, minute: 5 }), '5 4 * * 0'],
    [BackupSchedule.monthly({ day: 1, hour: 4, minute: 5 }), '5 4 1 * *'],
    [BackupSchedule.cron('*/10 8-18 * * mon-fri'), '*/10 8-18 * * mon-fri'],
  ])('are cron expressions', (schedule, expression) => {
    expect(schedule.expressionFor('shop/orders-db-backup')).toBe(expression);
  });

  it('spread a thousand policies over the hour, each at a minute of its own that stays', () => {
    const schedule = BackupSchedule.daily({ hour: 2 });
    const perMinute = new Map<string, number>();
    for (let index = 0; index < 1000; index++) {
      const expression = schedule.expressionFor(`shop/db-${index}-backup`);
      expect(expression).toMatch(/^[1-5]?\d 2 \* \* \*$/);
      expect(schedule.expressionFor(`shop/db-${index}-backup`)).toBe(expression);
      perMinute.set(expression, (perMinute.get(expression) ?? 0) + 1);
    }
    expect(perMinute.size).toBe(60);
    expect(Math.max(...perMinute.values())).toBeLessThan(40);
  });

  it('keep their minute from one version to the next', () => {
    expect(BackupSchedule.daily({ hour: 2 }).expressionFor('shop/orders-db-backup')).toBe('11 2 * * *');
  });

  it('keep apart policies of one name in two namespaces', () => {
    const schedule = BackupSchedule.hourly();
    const minutes = Array.from({ length: 20 }, (_, index) => schedule.expressionFor(`team-${index}/orders-db-backup`));
    expect(new Set(minutes).size).toBeGreaterThan(10);
  });

  it.each([
    [() => BackupSchedule.daily({ hour: 24 }), '"24" is no hour (0 to 23)'],
    [() => BackupSchedule.daily({ hour: 2, minute: 60 }), '"60" is no minute (0 to 59)'],
    [() => BackupSchedule.cron('2 o clock'), 'is no cron expression'],
    [() => BackupSchedule.monthly({ day: 31, hour: 2 }), 'day 31 of the month is not in every month'],
    [() => BackupSchedule.monthly({ day: 0, hour: 2 }), '"0" is no day of the month'],
  ])('refuse what never or not always comes', (make, message) => {
    expect(make).toThrow(message);
  });
});

describe('time zones', () => {
  it.each([
    ['Europe/Berlin', ['2026-03-29T02:00:00.000Z', '2026-03-29T03:00:00.000Z']],
    ['America/New_York', ['2026-03-08T02:00:00.000Z', '2026-03-08T03:00:00.000Z']],
    // By half an hour, and in the other half of the year.
    ['Australia/Lord_Howe', ['2026-10-04T02:00:00.000Z', '2026-10-04T02:30:00.000Z']],
    // At midnight.
    ['Africa/Cairo', ['2026-04-24T00:00:00.000Z', '2026-04-24T01:00:00.000Z']],
  ])('%s skips an hour in a year', (timeZone, gap) => {
    const skipped = skippedTimes(timeZone, MARCH);
    expect(skipped.map(({ from, until }) => [from.toISOString(), until.toISOString()])).toEqual([gap]);
  });

  it.each(['Etc/UTC', 'Asia/Tokyo', 'America/Sao_Paulo'])('%s skips nothing', (timeZone) => {
    expect(skippedTimes(timeZone, MARCH)).toEqual([]);
  });

  it.each([
    ['Europe/Berlin', 'Europe/Berlin'],
    ['europe/berlin', 'Europe/Berlin'],
    ['UTC', 'UTC'],
    ['Asia/Calcutta', 'Asia/Calcutta'],
    ['Mars/Olympus', undefined],
    ['+01:00', undefined],
    ['', undefined],
  ])('%s is known as %s', (name, known) => {
    expect(timeZoneName(name)).toBe(known);
  });
});

describe('the warning of a skipped hour', () => {
  const emitted = vi.spyOn(process, 'emitWarning');
  beforeEach(() => emitted.mockImplementation(() => undefined));
  afterEach(() => emitted.mockClear());

  /** The warnings that a schedule gets; they stand in the construct's metadata, too. */
  function warnings(expression: string, timeZone: string): readonly string[] {
    const chart = shop();
    checkTimeZone(chart, expression, timeZone, MARCH);
    const messages = emitted.mock.calls.map(([message]) => String(message));
    expect(messages).toEqual(chart.node.metadata.map(({ data }) => `"orders" ${data}`));
    return messages;
  }

  it('names the day, the time and the way out', () => {
    expect(warnings('11 2 * * *', 'Europe/Berlin')).toEqual([
      '"orders" leaves out a backup when the clocks go forward: 02:11 does not exist in Europe/Berlin on 2026-03-29. ' +
        'Take another hour, or the time zone "Etc/UTC".',
    ]);
  });

  it.each([
    ['11 3 * * *', 'Europe/Berlin'],
    ['11 2 * * *', 'Etc/UTC'],
    // Clocks change on a Sunday there, and this is for working days.
    ['11 2 * * 1-5', 'Europe/Berlin'],
    // The hour that does not exist needs no backup of its own.
    ['11 * * * *', 'Europe/Berlin'],
    ['45 2 * * *', 'Australia/Lord_Howe'],
  ])('is not given for %s in %s', (expression, timeZone) => {
    expect(warnings(expression, timeZone)).toEqual([]);
  });

  it('comes with the construct', () => {
    const chart = shop();
    const backup = policy(chart, { timeZone: 'Europe/Berlin' });
    expect(backup.node.metadata.map(({ type }) => type)).toEqual(['stillpoint:warning']);
    expect(emitted).toHaveBeenCalledTimes(1);
    expect(only(Testing.synth(chart), 'CronJob').spec.timeZone).toBe('Europe/Berlin');
  });

  it.each([
    ['Europe/Atlantis', 'has the time zone "Europe/Atlantis", which does not exist: give a name'],
    ['europe/berlin', 'Kubernetes knows it as "Europe/Berlin"'],
  ])('is an error for %s', (timeZone, message) => {
    expect(() => synth({ timeZone })).toThrow(message);
  });
});
