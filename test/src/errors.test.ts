import { App, Chart, Duration } from 'cdk8s';
import { BackupVolume, type PostgresBackupProps, PostgresLayout, Registry, TlsMode, VolumeRole } from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { policy, shop, synth } from './synth';

const claim = (name: string, role?: VolumeRole): BackupVolume =>
  BackupVolume.fromClaimName(name, role === undefined ? {} : { role });

/** Leaves a prop out, as plain JavaScript can. */
const without = (prop: keyof PostgresBackupProps): Partial<PostgresBackupProps> => ({ [prop]: undefined });

describe('a policy that cannot work is refused at synth', () => {
  it.each<[what: string, props: Partial<PostgresBackupProps>, message: string]>([
    ['no class', without('snapshotClass'), 'names no snapshot class: set snapshotClass: SnapshotClass.fromName('],
    ['no volume', { volumes: [] }, 'has no volumes: name them, as volumes: [BackupVolume.fromClaimName('],
    [
      'a claim twice',
      { volumes: [claim('a'), BackupVolume.fromClaimName('a', { role: VolumeRole.LOG })] },
      'has the claim "a" twice: name each claim once',
    ],
    [
      'a claim twice, once by its StatefulSet',
      { volumes: [claim('data-db-0'), BackupVolume.fromStatefulSet('db', 'data', { role: VolumeRole.LOG })] },
      'has the claim "data-db-0" twice',
    ],
    [
      'two volumes of one name',
      { volumes: [claim('a'), claim('b', VolumeRole.LOG), claim('c', VolumeRole.LOG)] },
      'has two volumes named "log": give each a name of its own',
    ],
    [
      'two data directories',
      { volumes: [claim('a'), BackupVolume.fromClaimName('b', { name: 'more' })] },
      'has 2 volumes with the role data, and PostgreSQL has one data directory',
    ],
    ['no data directory', { volumes: [claim('a', VolumeRole.LOG)] }, 'has 0 volumes with the role data'],
    [
      'a WAL volume that is not there',
      { separateWal: true },
      'says that the write-ahead log has a volume of its own, and names none: add it to volumes',
    ],
    [
      'a WAL volume that should not be there',
      { separateWal: false, volumes: [claim('a'), claim('b', VolumeRole.LOG)] },
      'has a volume with the role log, and separateWal: false',
    ],
    [
      'one instant over several volumes',
      { layout: PostgresLayout.ATOMIC, volumes: [claim('a'), claim('b', VolumeRole.LOG)] },
      'has the layout atomic and 2 volumes, which are not cut at one instant: take PostgresLayout.BACKUP_MODE',
    ],
    [
      'a group without a class',
      { layout: PostgresLayout.GROUP },
      'has the layout group and names no group snapshot class',
    ],
    [
      'a budget longer than the deadline',
      { budget: Duration.hours(2) },
      'has a budget of 7200 s, and 3600 s for the whole backup: lower budget, or raise deadline',
    ],
    [
      'a deadline shorter than the budget',
      { deadline: Duration.seconds(20) },
      'has a budget of 30 s, and 20 s for the whole backup',
    ],
    [
      'a budget beyond the schema',
      { budget: Duration.hours(2), deadline: Duration.hours(9) },
      'spec.budgetSeconds must be at most 3600',
    ],
    [
      'a name that is too long',
      { name: 'orders-database-of-the-shop-in-the-north-nightly-backup' },
      'with 55 characters, and a CronJob may have 52: set name to a shorter one',
    ],
    ['a name that is none', { name: 'Orders' }, 'has the name "Orders", which is no DNS label: set name to'],
    ['a database name that is none', { database: 'orders_db' }, 'has the database "orders_db", which is no DNS label'],
    ['a registry that is none', { registry: Registry.fromNamespace('A b') }, 'spec.registry.namespace must match'],
    ['a host with a port', { host: 'orders-db:5432' }, 'has the host "orders-db:5432", which is no host name'],
    ['a host that is a URL', { host: 'postgres://orders-db' }, 'which is no host name: give the name of a Service'],
    ['no host', { host: '' }, 'has the host "", which is no host name'],
    ['a port that is none', { port: 70_000 }, 'spec.connection.port must be at most 65535, is 70000'],
    [
      'a check without anything to check by',
      { tlsMode: TlsMode.VERIFY_FULL },
      'has tlsMode "verify-full" and no certificate authority to check by: give certificateAuthority',
    ],
  ])('%s', (_, props, message) => {
    expect(() => synth(props)).toThrow(message);
    // Each error begins with the construct's path: in an app of hundreds one has to find it.
    expect(() => synth(props)).toThrow(/^"orders\/orders-db" /);
  });

  it('an id that is no name, and no name in its place', () => {
    const chart = shop();
    expect(() => policy(chart, {}, 'OrdersDb')).toThrow('has the name "OrdersDb-backup", which is no DNS label');
    expect(() => policy(chart, { name: 'orders', database: 'orders' }, 'OrdersDb2')).not.toThrow();
  });

  it('a chart without a namespace', () => {
    const chart = new Chart(new App(), 'orders');
    expect(() => policy(chart)).toThrow('is in the chart "orders", which has no namespace: give the chart');
  });

  it('a second policy of the same name in the namespace, in whichever chart', () => {
    const app = new App();
    policy(new Chart(app, 'one', { namespace: 'shop' }));
    const two = new Chart(app, 'two', { namespace: 'shop' });
    expect(() => policy(two)).toThrow('would make the policy shop/orders-db-backup, as "one/orders-db" does');
    expect(() => policy(two, { name: 'orders-hourly', database: 'orders-db' }, 'hourly')).not.toThrow();
    expect(() => policy(new Chart(app, 'three', { namespace: 'stage' }))).not.toThrow();
  });
});

describe('addresses are hosts as well', () => {
  it.each(['10.0.0.7', 'fd00::7', 'orders-db.shop.svc.cluster.local', 'db1.example.com'])('%s', (host) => {
    expect(() => synth({ host })).not.toThrow();
  });
});
