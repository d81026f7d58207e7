import { Chart, Duration, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupVolume,
  GroupSnapshotClass,
  MongoBackup,
  type MongoBackupProps,
  MongoMember,
  SnapshotClass,
  VolumeRole,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { jobConfig, type Manifest } from './synth';

const DATA = BackupVolume.fromServerPod('data');
const JOURNAL = BackupVolume.fromServerPod('journal', { role: VolumeRole.LOG });
const GROUP = GroupSnapshotClass.fromName('together');

function synth(props: Partial<MongoBackupProps> = {}): Manifest[] {
  const chart = new Chart(Testing.app(), 'catalogue', { namespace: 'shop' });
  new MongoBackup(chart, 'catalogue-db', {
    host: 'catalogue-db',
    credentials: Secret.fromSecretName(chart, 'login', 'catalogue-db-backup'),
    volumes: [DATA],
    ...(props.groupSnapshotClass === undefined ? { snapshotClass: SnapshotClass.fromName('retained') } : {}),
    schedule: BackupSchedule.daily({ hour: 2 }),
    ...props,
  });
  return Testing.synth(chart);
}

describe('a MongoBackup', () => {
  it('says all that the runner needs, and has a guard', () => {
    expect(jobConfig(synth()).spec).toMatchObject({
      engine: 'mongodb',
      connection: { host: 'catalogue-db', port: 27017 },
      volumes: [{ name: 'data', role: 'data', podVolume: 'data' }],
      layout: 'auto',
      guarded: true,
    });
    expect(jobConfig(synth()).spec.engineOptions).toBeUndefined();
  });

  it('carries what is said of the member and the login', () => {
    const props = { member: MongoMember.PRIMARY, maxLag: Duration.minutes(2), authenticationDatabase: 'users' };
    const { engineOptions, connection } = jobConfig(synth(props)).spec;
    expect(engineOptions).toEqual({ member: 'primary', maxLagSeconds: '120' });
    expect(connection.database).toBe('users');
  });

  it('needs no guard without a lock', () => {
    const { engineOptions, guarded } = jobConfig(synth({ lock: false })).spec;
    expect({ engineOptions, guarded }).toEqual({ engineOptions: { lock: 'false' }, guarded: undefined });
  });

  it('takes several volumes under the lock, or as a group', () => {
    expect(jobConfig(synth({ volumes: [DATA, JOURNAL] })).spec.volumes).toHaveLength(2);
    expect(() => synth({ volumes: [DATA, JOURNAL], lock: false })).toThrow(/not cut at one instant/);
    const group = { volumes: [DATA, JOURNAL], lock: false, groupSnapshotClass: GROUP };
    expect(jobConfig(synth(group)).spec.layout).toBe('group');
  });

  it('refuses what it cannot do', () => {
    expect(() => synth({ volumes: [DATA, BackupVolume.fromClaimName('b', { name: 'b' })] })).toThrow(
      /2 volumes with the role data/,
    );
    const chart = new Chart(Testing.app(), 'secrets');
    const clientCertificate = Secret.fromSecretName(chart, 'certificate', 'certificate');
    expect(() => synth({ clientCertificate })).toThrow(/SCRAM/);
  });
});
