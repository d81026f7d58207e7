import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupVolume,
  GroupSnapshotClass,
  MySqlBackup,
  type MySqlBackupProps,
  MySqlMode,
  SnapshotClass,
  VolumeRole,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { jobConfig, type Manifest } from './synth';

const DATA = BackupVolume.fromClaimName('data-accounts-db-0');
const BINLOG = BackupVolume.fromClaimName('binlog-accounts-db-0', { role: VolumeRole.LOG });
const SPACE = BackupVolume.fromClaimName('fast-accounts-db-0', { role: VolumeRole.TABLESPACE });
const GROUP = GroupSnapshotClass.fromName('together');

function synth(props: Partial<MySqlBackupProps> = {}): Manifest[] {
  const chart = new Chart(Testing.app(), 'accounts', { namespace: 'shop' });
  new MySqlBackup(chart, 'accounts-db', {
    host: 'accounts-db',
    credentials: Secret.fromSecretName(chart, 'login', 'accounts-db-backup'),
    volumes: [DATA],
    ...(props.groupSnapshotClass === undefined ? { snapshotClass: SnapshotClass.fromName('retained') } : {}),
    schedule: BackupSchedule.daily({ hour: 2 }),
    ...props,
  });
  return Testing.synth(chart);
}

describe('a MySqlBackup', () => {
  it('says all that the runner needs', () => {
    expect(jobConfig(synth()).spec).toMatchObject({
      engine: 'mysql',
      connection: { host: 'accounts-db', port: 3306 },
      volumes: [{ name: 'data', role: 'data', claim: 'data-accounts-db-0' }],
      layout: 'auto',
      snapshots: { className: 'retained', slots: 1 },
    });
    expect(jobConfig(synth()).spec.engineOptions).toBeUndefined();
    expect(jobConfig(synth()).spec.connection.database).toBeUndefined();
  });

  it.each([MySqlMode.GLOBAL, MySqlMode.INSTANCE, MySqlMode.NONE])('carries the mode %s', (mode) => {
    expect(jobConfig(synth({ mode })).spec.engineOptions).toEqual({ mode });
  });

  it('takes a replica only where that is said', () => {
    expect(jobConfig(synth({ allowReplica: true })).spec.engineOptions).toEqual({ replica: 'allow' });
    expect(jobConfig(synth({ allowReplica: false })).spec.engineOptions).toBeUndefined();
  });

  it('takes the binary log on a volume of its own under the lock on commits', () => {
    expect(jobConfig(synth({ volumes: [DATA, BINLOG] })).spec.volumes).toHaveLength(2);
    expect(() => synth({ volumes: [DATA, BINLOG], mode: MySqlMode.NONE })).toThrow(/in which commits go on/);
  });

  it('takes anything as a group', () => {
    const { layout, snapshots } = jobConfig(
      synth({ volumes: [DATA, SPACE], mode: MySqlMode.NONE, groupSnapshotClass: GROUP }),
    ).spec;
    expect({ layout, snapshots }).toEqual({ layout: 'group', snapshots: { groupClassName: 'together', slots: 1 } });
  });

  it.each<[string, Partial<MySqlBackupProps>, RegExp]>([
    ['no data', { volumes: [BINLOG] }, /has 0 volumes with the role data/],
    [
      'two data directories',
      { volumes: [DATA, BackupVolume.fromClaimName('more', { name: 'more' })] },
      /has 2 volumes/,
    ],
    ['tablespaces on single snapshots', { volumes: [DATA, SPACE] }, /files of InnoDB on several volumes/],
    ['a group class for one volume', { groupSnapshotClass: GROUP }, /names no snapshot class/],
  ])('refuses %s', (_, props, message) => {
    expect(() => synth(props)).toThrow(message);
  });
});
