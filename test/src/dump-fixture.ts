/** What dumps and their restores are declared with in tests: a login, a store, and the usual policy. */
import { Secret } from 'cdk8s-plus-28';
import { BackupSchedule, BackupStorage, type PostgresDumpProps } from 'stillpoint';
import { shop } from './synth';

export const chart = shop();
export const login = Secret.fromSecretName(chart, 'login', 'orders-db-login');
const keys = Secret.fromSecretName(chart, 'keys', 'store-login');
export const storage = BackupStorage.s3({
  bucket: 'backups',
  endpoint: 'http://minio.storage:9000',
  credentials: keys,
});

export const usual: PostgresDumpProps = {
  host: 'orders-db',
  credentials: login,
  serverImage: 'postgres:17',
  storage,
  schedule: BackupSchedule.daily({ hour: 2 }),
};
