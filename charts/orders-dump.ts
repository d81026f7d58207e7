import { type App, Chart } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupSchedule, BackupStorage, PostgresDump } from 'stillpoint';

/** A PostgreSQL dumped to a bucket every night, by its own pg_dumpall; the registry is told of the bucket, too. */
export function ordersDump(app: App): Chart {
  const chart = new Chart(app, 'orders-dump', { namespace: 'shop' });
  new PostgresDump(chart, 'orders-dump', {
    host: 'orders-db',
    credentials: Secret.fromSecretName(chart, 'login', 'orders-db-admin'),
    serverImage: 'postgres:17',
    storage: BackupStorage.s3({
      bucket: 'backups-of-shop',
      region: 'eu-central-1',
      credentials: Secret.fromSecretName(chart, 'keys', 'store'),
    }),
    schedule: BackupSchedule.daily({ hour: 3 }),
    retention: { keepDaily: 7, keepWeekly: 4 },
  });
  return chart;
}
