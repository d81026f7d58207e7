import { type App, Chart } from 'cdk8s';
import { BackupSchedule, NuoDbBackup, SnapshotClass } from 'stillpoint';

/** A NuoDB of its Helm chart, every night: the claims are those of the storage manager that is ready then, and transactions go on. */
export function messaging(app: App): Chart {
  const chart = new Chart(app, 'messaging', { namespace: 'shop' });
  new NuoDbBackup(chart, 'messaging-demo', {
    databaseLabel: 'demo',
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.daily({ hour: 3 }),
  });
  return chart;
}
