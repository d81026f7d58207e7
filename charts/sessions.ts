import { type App, Chart, Duration } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupSchedule, BackupVolume, RedisBackup, SnapshotClass } from 'stillpoint';

/** A Redis or Valkey, exact to the write, every hour; the claim is that of the pod that answers, and writes wait for five seconds at most. */
export function sessions(app: App): Chart {
  const chart = new Chart(app, 'sessions', { namespace: 'shop' });
  new RedisBackup(chart, 'sessions-db', {
    host: 'sessions-db',
    credentials: Secret.fromSecretName(chart, 'login', 'sessions-db-backup'),
    volumes: [BackupVolume.fromServerPod('data')],
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.hourly(),
    budget: Duration.seconds(5),
  });
  return chart;
}
