import { type App, Chart, Duration } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupSchedule, BackupVolume, MongoBackup, SnapshotClass } from 'stillpoint';

/** A MongoDB replica set: a hidden member or another secondary is locked while the claim of its own pod is cut. */
export function catalogue(app: App): Chart {
  const chart = new Chart(app, 'catalogue', { namespace: 'shop' });
  new MongoBackup(chart, 'catalogue-db', {
    host: 'catalogue-db',
    credentials: Secret.fromSecretName(chart, 'login', 'catalogue-db-backup'),
    volumes: [BackupVolume.fromServerPod('data')],
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.hourly(),
    budget: Duration.seconds(10),
  });
  return chart;
}
