/** What a program in JavaScript may get wrong, and one in TypeScript that nobody checks. */
import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { describe, expect, it } from 'vitest';
import { BackupSchedule, BackupVolume, MySqlBackup, type MySqlBackupProps, SnapshotClass } from '../../src';

function make(change: object): MySqlBackup {
  const chart = new Chart(Testing.app(), 'orders', { namespace: 'shop' });
  const props: MySqlBackupProps = {
    host: 'orders-db',
    credentials: Secret.fromSecretName(chart, 'login', 'orders-db'),
    volumes: [BackupVolume.fromClaimName('data-orders-db-0')],
    schedule: BackupSchedule.daily({ hour: 2 }),
    snapshotClass: SnapshotClass.fromName('retained'),
  };
  return new MySqlBackup(chart, 'orders-db', { ...props, ...change } as MySqlBackupProps);
}

describe('a value of another kind', () => {
  it.each<[object, string]>([
    [{ snapshotClass: 'retained' }, '"orders/orders-db" has the snapshotClass "retained", which is of another kind'],
    [{ groupSnapshotClass: 'x' }, 'has the groupSnapshotClass "x", which is of another kind'],
    [{ registry: 'backups' }, 'has the registry "backups", which is of another kind: take a Registry, or'],
    [{ credentials: 'orders-db' }, 'has the credentials "orders-db", which is of another kind: take a Secret'],
    [{ credentials: {} }, 'has the credentials {}, which is of another kind'],
    [{ credentials: undefined }, 'has no credentials'],
    [{ schedule: '0 2 * * *' }, 'has the schedule "0 2 * * *", which is of another kind: take a BackupSchedule'],
    [{ schedule: undefined }, 'has no schedule'],
    [{ volumes: 'data' }, 'has the volumes "data", which is of another kind: take a list'],
    [{ volumes: undefined }, 'has no volumes'],
    [{ budget: 10 }, 'has the budget 10, which is of another kind: take a Duration'],
    [{ image: '' }, 'has the image ""'],
    [{ image: 5 }, 'has the image 5'],
    [{ mode: 'globl' }, 'has the mode "globl": set mode to one of '],
    [{ retention: { keepWithin: 30 } }, 'has the keepWithin 30, which is of another kind'],
    [{ retention: { keepWeeks: 3 } }, 'keepWithin'],
  ])('is refused by a sentence that names it: %j', (change, message) => {
    expect(() => make(change)).toThrow(message);
    expect(() => make(change)).not.toThrow('keepWithinSeconds');
  });

  it('is none where all is as it should be', () => {
    expect(() => make({})).not.toThrow();
    expect(() => make({ snapshotClass: SnapshotClass.fromClusterDefault() })).not.toThrow();
  });
});
