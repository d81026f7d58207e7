/** What of a policy's backups is kept. */
import type { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { stringify } from 'yaml';
import { checkRetentionKinds } from './check-kinds';
import {
  API_VERSION,
  COMPONENTS,
  keepsSomething,
  LABELS,
  PERIOD_RULES,
  POLICY,
  POLICY_KEY,
  POLICY_KIND,
  type Policy,
  policyDocumentName,
  type Retention,
  validate,
} from './contract';
import { type Cron, firesAt, parseCron } from './contract/cron';
import { invalid } from './invalid';
import type { PolicyNames } from './job-config';
import { labelsOf } from './objects';
import { warn } from './warn';

/**
 * What of a policy's backups is kept: a backup stays as long as one of these rules keeps it. Days, weeks and months are
 * those of the policy's time zone, and of each the newest backup counts. Only those do that have a backup: when no new ones
 * come, none of the old go.
 *
 * Whatever is said here, what is never removed is the last good backup, the last verified one, one that is protected
 * (`stillpoint protect`), one from before a deployment that was not released, and one that is being restored.
 *
 * @example
 * const retention = { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 };
 */
export interface RetentionProps {
  /**
   * So many of the newest ones.
   *
   * @default 0
   */
  readonly keepLast?: number;

  /**
   * One for each of so many hours.
   *
   * @default 0
   */
  readonly keepHourly?: number;

  /**
   * One for each of so many days.
   *
   * @default 0
   */
  readonly keepDaily?: number;

  /**
   * One for each of so many weeks, which begin on Monday.
   *
   * @default 0
   */
  readonly keepWeekly?: number;

  /**
   * One for each of so many months.
   *
   * @default 0
   */
  readonly keepMonthly?: number;

  /**
   * One for each of so many years.
   *
   * @default 0
   */
  readonly keepYearly?: number;

  /**
   * All that are not older than this, counted back from the newest good one.
   *
   * @default - none by age
   */
  readonly keepWithin?: Duration;
}

/** Where a policy's document goes, and what it is called by. */
interface PolicyPlace extends PolicyNames {
  readonly timeZone: string;
  readonly schedule: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/**
 * Writes down in the registry what is kept of a policy's backups. There it is what the pruner may read without a right in
 * the namespaces of databases; it goes with the policy, and then all of its backups stay.
 *
 * @internal
 */
export function addRetention(construct: Construct, props: RetentionProps, place: PolicyPlace): void {
  checkRetentionKinds(construct, props);
  const { name, namespace, database, registryNamespace, timeZone, labels, annotations } = place;
  const policy: Policy = {
    apiVersion: API_VERSION,
    kind: POLICY_KIND,
    metadata: { name, namespace },
    spec: { database, timeZone, retention: retentionOf(props) },
  };
  checkRetention(construct, policy, place.schedule);
  new k8s.KubeConfigMap(construct, 'Policy', {
    metadata: {
      name: policyDocumentName(namespace, name),
      namespace: registryNamespace,
      labels: labelsOf(
        COMPONENTS.policy,
        { ...labels },
        { [LABELS.namespace]: namespace, [LABELS.database]: database },
      ),
      annotations: { ...annotations },
    },
    data: { [POLICY_KEY]: stringify(policy, { lineWidth: 0 }) },
  });
}

function retentionOf({ keepWithin, ...counts }: RetentionProps): Retention {
  return { ...counts, ...(keepWithin === undefined ? {} : { keepWithinSeconds: keepWithin.toSeconds() }) };
}

function checkRetention(construct: Construct, policy: Policy, schedule: string): void {
  const problems = validate(POLICY, policy);
  if (problems.length > 0) {
    const list = problems
      .map(({ path, message }) => `${path.replace('spec.retention.', '')} ${message}`)
      .join('; ')
      .replaceAll('keepWithinSeconds', 'keepWithin');
    throw invalid(construct, 'has a retention that cannot be', list);
  }
  const { retention } = policy.spec;
  if (!keepsSomething(retention)) {
    throw invalid(
      construct,
      'has a retention that keeps nothing',
      'say what to keep, as { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 }; to keep all backups, leave retention out',
    );
  }
  for (const message of contradictions(retention, parseCron(schedule))) warn(construct, message);
}

/** Rules for a period that has no more than one backup in the next longer one: they reach further than they say. */
function contradictions(retention: Retention, cron: Cron): string[] {
  const rare = [
    { rule: PERIOD_RULES.hourly, period: 'hour', longer: 'day', unit: 'days', most: mostRunsIn(cron, dayOf) },
    { rule: PERIOD_RULES.daily, period: 'day', longer: 'week', unit: 'weeks', most: mostRunsIn(cron, weekOf) },
    { rule: PERIOD_RULES.weekly, period: 'week', longer: 'month', unit: 'months', most: mostRunsIn(cron, monthOf) },
    { rule: PERIOD_RULES.monthly, period: 'month', longer: 'year', unit: 'years', most: mostRunsIn(cron, yearOf) },
  ];
  return rare
    .filter(({ rule, most }) => (retention[rule] ?? 0) > 0 && most === 1)
    .map(
      ({ rule, period, longer, unit }) =>
        `has ${rule}: ${retention[rule]}, and its schedule fires once a ${longer} at most: only ${period}s with a backup count, so ${retention[rule]} of them are ${retention[rule]} ${unit}.`,
    );
}

const DAY_MS = 86_400_000;
/** 2024 began on a Monday and is a leap year: every day of the month is there, and no week is cut in two at its beginning. */
const YEAR_START = Date.UTC(2024, 0, 1);
const YEAR_DAYS = 366;

/** How many runs fall at most into one period of a year. */
function mostRunsIn(cron: Cron, periodOf: (day: number) => number): number {
  const aDay = cron.minute.values.size * cron.hour.values.size;
  const [minute = 0] = cron.minute.values;
  const [hour = 0] = cron.hour.values;
  const counts = new Map<number, number>();
  for (let day = 0; day < YEAR_DAYS; day++) {
    const wall = new Date(YEAR_START + day * DAY_MS + (hour * 60 + minute) * 60_000);
    if (!firesAt(cron, wall)) continue;
    const period = periodOf(day);
    counts.set(period, (counts.get(period) ?? 0) + aDay);
  }
  return Math.max(0, ...counts.values());
}

const dayOf = (day: number): number => day;
const weekOf = (day: number): number => Math.floor(day / 7);
const monthOf = (day: number): number => new Date(YEAR_START + day * DAY_MS).getUTCMonth();
const yearOf = (): number => 0;
