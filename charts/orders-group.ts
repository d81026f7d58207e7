import { type App, Chart } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupVolume,
  GroupSnapshotClass,
  PostgresBackup,
  PostgresLayout,
  VolumeRole,
} from 'stillpoint';

/** Storage that cuts several volumes at one instant: a group snapshot, and nothing is held. */
export function ordersGroup(app: App): Chart {
  const chart = new Chart(app, 'orders-group', { namespace: 'shop' });
  new PostgresBackup(chart, 'ledger-db', {
    host: 'ledger-db',
    credentials: Secret.fromSecretName(chart, 'login', 'ledger-db'),
    volumes: [
      BackupVolume.fromClaimName('data-ledger-db-0'),
      BackupVolume.fromClaimName('wal-ledger-db-0', { role: VolumeRole.LOG }),
    ],
    layout: PostgresLayout.GROUP,
    groupSnapshotClass: new GroupSnapshotClass(chart, 'stillpoint-group', { driver: 'disk.csi.example.com' }),
    schedule: BackupSchedule.cron('30 3 * * 1-6'),
  });
  return chart;
}
