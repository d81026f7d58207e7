import { Duration } from 'cdk8s';
import { BackupSchedule, type PostgresBackupProps, Registry, Weekday } from 'stillpoint';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { fits, POLICY } from '../../src/contract';
import { type Manifest, only, policy, shop, synth } from './synth';

const DOCUMENT = 'shop.orders-db-backup.policy';
const SEED = { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 };
const document = (props: Partial<PostgresBackupProps>): Manifest =>
  parse(only(synth(props), 'ConfigMap', DOCUMENT).data['policy.yaml']);

describe('the retention of a policy', () => {
  it('is written down in the registry, with the time zone of the schedule', () => {
    const registry = Registry.fromNamespace('records');
    const { metadata } = only(synth({ retention: SEED, registry, labels: { team: 'shop' } }), 'ConfigMap', DOCUMENT);
    expect(metadata.namespace).toBe('records');
    expect(metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'stillpoint',
      'stillpoint.dev/component': 'policy',
      'stillpoint.dev/namespace': 'shop',
      'stillpoint.dev/database': 'orders-db',
      team: 'shop',
    });
    const found = document({ retention: { ...SEED, keepWithin: Duration.days(30) }, timeZone: 'Europe/Berlin' });
    expect(fits(POLICY, found)).toBe(true);
    expect(found).toEqual({
      apiVersion: 'stillpoint.dev/v1',
      kind: 'BackupPolicy',
      metadata: { name: 'orders-db-backup', namespace: 'shop' },
      spec: {
        database: 'orders-db',
        timeZone: 'Europe/Berlin',
        retention: { ...SEED, keepWithinSeconds: 30 * 86_400 },
      },
    });
    expect(document({ retention: SEED }).spec.timeZone).toBe('Etc/UTC');
  });

  it('has the pruner asked after each backup, by a right that can do nothing else', () => {
    const manifests = synth({ retention: SEED });
    const config = parse(only(manifests, 'ConfigMap', 'orders-db-backup').data['backup.yaml']);
    expect(config.spec.prune).toBe(true);
    const rules = (objects: readonly Manifest[]): Manifest[] =>
      only(objects, 'Role', 'stillpoint.shop.orders-db-backup').rules.filter(
        ({ resources }: Manifest) => resources[0] === 'deployments/scale',
      );
    expect(rules(manifests)).toEqual([
      { apiGroups: ['apps'], resources: ['deployments/scale'], verbs: ['patch'], resourceNames: ['stillpoint-pruner'] },
    ]);
    expect(rules(synth())).toEqual([]);
  });

  it('is nowhere when nothing is said: then all backups are kept', () => {
    expect(synth().filter(({ metadata }) => metadata.name.endsWith('.policy'))).toEqual([]);
  });

  it.each([
    [{}, 'has a retention that keeps nothing: say what to keep'],
    [{ keepLast: 0, keepDaily: 0 }, 'has a retention that keeps nothing'],
    [{ keepDaily: -1 }, 'has a retention that cannot be: keepDaily must be at least 0, is -1'],
    [{ keepLast: 1.5 }, 'keepLast must be an integer, is number'],
  ])('%j is refused', (retention, message) => {
    expect(() => policy(shop(), { retention })).toThrow(message);
  });
});

describe('a retention that its schedule contradicts', () => {
  const warnings: string[] = [];
  beforeEach(() => {
    warnings.length = 0;
    vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(`${warning}`));
  });
  afterEach(() => void vi.restoreAllMocks());

  const warned = (schedule: BackupSchedule, retention: PostgresBackupProps['retention']): readonly string[] => {
    policy(shop(), { schedule, ...(retention === undefined ? {} : { retention }) });
    return warnings;
  };
  const nightly = BackupSchedule.daily({ hour: 2 });
  const weekly = BackupSchedule.weekly({ weekday: Weekday.SUNDAY, hour: 2 });

  it.each([
    ['hours of a nightly one', nightly, { keepHourly: 24 }, /keepHourly: 24, .* 24 of them are 24 days/],
    ['days of a weekly one', weekly, { keepDaily: 7 }, /keepDaily: 7, .* once a week at most/],
    ['weeks of a monthly one', BackupSchedule.monthly({ day: 1, hour: 2 }), { keepWeekly: 4 }, /keepWeekly: 4/],
    ['months of a yearly one', BackupSchedule.cron('@yearly'), { keepMonthly: 12 }, /are 12 years/],
  ])('%s is warned of', (_, schedule, retention, message) => {
    expect(warned(schedule, retention)).toEqual([expect.stringMatching(message)]);
  });

  it.each([
    ['the usual one', nightly, SEED],
    ['hours of one that comes twice a day', BackupSchedule.cron('0 2,14 * * *'), { keepHourly: 24 }],
    ['days of one that comes twice a week', BackupSchedule.cron('0 2 * * 1,4'), { keepDaily: 7 }],
    ['weeks of a weekly one', weekly, { keepWeekly: 4, keepMonthly: 12 }],
    ['one that never fires by itself', BackupSchedule.cron('0 0 31 2 *'), { keepHourly: 24 }],
  ])('%s is not', (_, schedule, retention) => {
    expect(warned(schedule, retention)).toEqual([]);
  });
});
