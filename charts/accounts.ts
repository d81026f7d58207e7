import { type App, Chart, Duration } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupSchedule, BackupVolume, MySqlBackup, SnapshotClass } from 'stillpoint';

/** A MySQL or MariaDB, exact to the transaction, every hour; its commits wait for ten seconds at the very most. */
export function accounts(app: App): Chart {
  const chart = new Chart(app, 'accounts', { namespace: 'shop' });
  new MySqlBackup(chart, 'accounts-db', {
    host: 'accounts-db',
    credentials: Secret.fromSecretName(chart, 'login', 'accounts-db-backup'),
    volumes: [BackupVolume.fromStatefulSet('accounts-db', 'data')],
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.hourly(),
    budget: Duration.seconds(10),
  });
  return chart;
}
