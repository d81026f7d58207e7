import { type App, Chart, Size } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupStorage,
  BackupVolume,
  PostgresBackup,
  SnapshotClass,
  SnapshotCopy,
  SnapshotCopyRestore,
  Weekday,
} from 'stillpoint';

/**
 * Snapshots every night, and the newest of them each Sunday in a bucket, encrypted: what is left when the storage is gone. And one of
 * those copies back in a namespace that never saw the snapshot.
 */
export function ordersCopy(app: App): Chart {
  const chart = new Chart(app, 'orders-copy', { namespace: 'archive' });
  const storage = BackupStorage.s3({
    bucket: 'backups-of-shop',
    region: 'eu-central-1',
    credentials: Secret.fromSecretName(chart, 'keys', 'store'),
  });
  const backup = new PostgresBackup(chart, 'orders-db', {
    host: 'orders-db',
    credentials: Secret.fromSecretName(chart, 'login', 'orders-db'),
    volumes: [BackupVolume.fromClaimName('data-orders-db-0')],
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.daily({ hour: 2 }),
    retention: { keepDaily: 7 },
  });
  new SnapshotCopy(chart, 'orders-copy', {
    of: backup,
    storage,
    schedule: BackupSchedule.weekly({ weekday: Weekday.SUNDAY, hour: 4 }),
    retention: { keepWeekly: 8, keepMonthly: 12 },
    recipients: ['age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'],
  });
  new SnapshotCopyRestore(chart, 'orders-back', {
    database: 'orders-copy',
    backup: '20261122040000',
    storage,
    identity: Secret.fromSecretName(chart, 'identity', 'archive-identity'),
    volumes: [{ name: 'data', size: Size.gibibytes(10), mountPath: '/var/lib/postgresql/data' }],
    runAsUser: 999,
  });
  return chart;
}
