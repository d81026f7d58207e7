import { type App, Chart } from 'cdk8s';
import { type ISecret, Secret } from 'cdk8s-plus-28';
import {
  BackupGroup,
  BackupSchedule,
  BackupVolume,
  MySqlMember,
  PostgresMember,
  RedisMember,
  SnapshotClass,
  VolumeMember,
} from 'stillpoint';

/** A group: what belongs together is held, cut and restored together. Redis, whose clients bear it least, is frozen last. */
export function shop(app: App): Chart {
  const chart = new Chart(app, 'shop', { namespace: 'shop' });
  const login = (name: string): ISecret => Secret.fromSecretName(chart, `${name}-login`, `${name}-backup`);
  const volumes = [BackupVolume.fromServerPod('data')];
  new BackupGroup(chart, 'shop', {
    members: [
      new PostgresMember('orders', { host: 'orders-db', credentials: login('orders-db'), volumes }),
      new MySqlMember('accounts', { host: 'accounts-db', credentials: login('accounts-db'), volumes }),
      new VolumeMember('uploads', { volumes: [BackupVolume.fromClaimName('uploads')] }),
      new RedisMember('sessions', { host: 'sessions-db', credentials: login('sessions-db'), volumes }),
    ],
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.daily({ hour: 1 }),
  });
  return chart;
}
