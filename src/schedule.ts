import { createHash } from 'node:crypto';
import type { Construct } from 'constructs';
import { type Cron, firesAt, parseCron } from './contract/cron';
import { invalid } from './invalid';
import { type SkippedTimes, skippedTimes, timeZoneName } from './time-zone';
import { warn } from './warn';

/** A day of the week. */
export enum Weekday {
  /** Sunday. */
  SUNDAY = 0,
  /** Monday. */
  MONDAY = 1,
  /** Tuesday. */
  TUESDAY = 2,
  /** Wednesday. */
  WEDNESDAY = 3,
  /** Thursday. */
  THURSDAY = 4,
  /** Friday. */
  FRIDAY = 5,
  /** Saturday. */
  SATURDAY = 6,
}

/** When in an hour. */
export interface HourlyScheduleOptions {
  /**
   * The minute, 0 to 59.
   *
   * @default - a minute of the policy's own, made from its name: the same in each synth, another for each policy
   */
  readonly minute?: number;
}

/** When in a day. */
export interface DailyScheduleOptions extends HourlyScheduleOptions {
  /** The hour, 0 to 23, in the policy's time zone. */
  readonly hour: number;
}

/** When in a week. */
export interface WeeklyScheduleOptions extends DailyScheduleOptions {
  /** The day of the week. */
  readonly weekday: Weekday;
}

/** When in a month. */
export interface MonthlyScheduleOptions extends DailyScheduleOptions {
  /** The day of the month, 1 to 28: later days are not in every month. */
  readonly day: number;
}

/**
 * When backups are taken.
 *
 * Where no minute is given, each policy gets one of its own within the hour, so that a thousand policies at 02:00 do not
 * start in one second.
 *
 * @example
 * BackupSchedule.daily({ hour: 2 });
 * BackupSchedule.weekly({ weekday: Weekday.SUNDAY, hour: 4, minute: 30 });
 * BackupSchedule.cron('0 8-18/2 * * 1-5');
 */
export class BackupSchedule {
  /** Once an hour. */
  public static hourly(options: HourlyScheduleOptions = {}): BackupSchedule {
    return new BackupSchedule(options.minute, '* * * *');
  }

  /** Once a day, within the given hour. */
  public static daily(options: DailyScheduleOptions): BackupSchedule {
    return new BackupSchedule(options.minute, `${options.hour} * * *`);
  }

  /** Once a week, within the given hour. */
  public static weekly(options: WeeklyScheduleOptions): BackupSchedule {
    return new BackupSchedule(options.minute, `${options.hour} * * ${options.weekday}`);
  }

  /** Once a month, within the given hour. */
  public static monthly(options: MonthlyScheduleOptions): BackupSchedule {
    if (options.day > 28) {
      throw invalid(`day ${options.day} of the month`, 'is not in every month', 'take one from 1 to 28');
    }
    return new BackupSchedule(options.minute, `${options.hour} ${options.day} * *`);
  }

  /** A cron expression, as a CronJob takes it: `minute hour day-of-month month day-of-week`, or `@daily` and the like. */
  public static cron(expression: string): BackupSchedule {
    return new BackupSchedule(undefined, expression, true);
  }

  private constructor(
    private readonly minute: number | undefined,
    private readonly rest: string,
    private readonly whole = false,
  ) {
    const expression = this.expressionFor('any');
    try {
      parseCron(expression);
    } catch (error) {
      throw invalid(
        `the schedule "${expression}"`,
        `is no cron expression, ${(error as Error).message}`,
        'give "minute hour day-of-month month day-of-week", as "30 2 * * 1-5"',
      );
    }
  }

  /**
   * The cron expression for a policy.
   *
   * @param policy what tells policies apart, as `shop/orders-db-backup`: the minute is made from it where none is given
   */
  public expressionFor(policy: string): string {
    return this.whole ? this.rest : `${this.minute ?? spread(policy)} ${this.rest}`;
  }
}

/** A minute of the hour that depends on the name alone. */
function spread(policy: string): number {
  return createHash('sha256').update(policy).digest().readUInt32BE(0) % 60;
}

/**
 * Checks a time zone, and warns when the clocks go forward over a time at which the schedule would have fired: the
 * CronJob controller leaves that run out.
 *
 * @internal
 */
export function checkTimeZone(construct: Construct, expression: string, timeZone: string, from: Date): void {
  const name = timeZoneName(timeZone);
  if (name === undefined) {
    throw invalid(
      construct,
      `has the time zone "${timeZone}", which does not exist`,
      'give a name of the time zone database, as "Europe/Berlin" or "Etc/UTC"',
    );
  }
  if (name !== timeZone) {
    throw invalid(construct, `has the time zone "${timeZone}"`, `Kubernetes knows it as "${name}"`);
  }
  const missed = missedRun(parseCron(expression), skippedTimes(timeZone, from));
  if (missed === undefined) return;
  const [day, time] = missed.toISOString().split(/[TZ]/);
  warn(
    construct,
    `leaves out a backup when the clocks go forward: ${time?.slice(0, 5)} does not exist in ${timeZone} on ${day}. ` +
      'Take another hour, or the time zone "Etc/UTC".',
  );
}

/** The first run that falls into a time that does not exist. A schedule for every hour loses nothing: that hour is not. */
function missedRun(cron: Cron, gaps: readonly SkippedTimes[]): Date | undefined {
  if (cron.hour.open) return undefined;
  for (const { from, until } of gaps) {
    for (let at = from.getTime(); at < until.getTime(); at += 60_000) {
      const wall = new Date(at);
      if (firesAt(cron, wall)) return wall;
    }
  }
  return undefined;
}
