import { type App, Chart } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupSchedule, BackupVolume, PostgresBackup, SnapshotClass } from 'stillpoint';

/** The smallest policy: a PostgreSQL on one volume, every night within the hour from 02:00; a year of it is 20 backups. */
export function orders(app: App): Chart {
  const chart = new Chart(app, 'orders', { namespace: 'shop' });
  new PostgresBackup(chart, 'orders-db', {
    host: 'orders-db',
    credentials: Secret.fromSecretName(chart, 'login', 'orders-db'),
    volumes: [BackupVolume.fromClaimName('data-orders-db-0')],
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.daily({ hour: 2 }),
    retention: { keepLast: 3, keepDaily: 7, keepWeekly: 4, keepMonthly: 12 },
  });
  return chart;
}
