import { type App, Chart, Duration } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupJob,
  BackupSchedule,
  BackupTrigger,
  BackupVolume,
  PostgresBackup,
  SnapshotClass,
  VolumeRole,
} from 'stillpoint';

/**
 * A PostgreSQL whose write-ahead log lies on a volume of its own: it is in backup mode while the volumes are cut, the log
 * last. TLS to the server, a budget of 20 s, and one more backup before a release.
 */
export function ordersWal(app: App): Chart {
  const chart = new Chart(app, 'orders-wal', { namespace: 'shop' });
  const backup = new PostgresBackup(chart, 'billing-db', {
    host: 'billing-db',
    credentials: Secret.fromSecretName(chart, 'login', 'billing-db'),
    certificateAuthority: Secret.fromSecretName(chart, 'ca', 'billing-db-ca'),
    volumes: [
      BackupVolume.fromStatefulSet('billing-db', 'data'),
      BackupVolume.fromStatefulSet('billing-db', 'wal', { role: VolumeRole.LOG }),
    ],
    separateWal: true,
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.hourly(),
    budget: Duration.seconds(20),
  });
  new BackupJob(chart, 'release-42', { backup, trigger: BackupTrigger.PRE_DEPLOYMENT });
  return chart;
}
