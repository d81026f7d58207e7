import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupVolume,
  GroupSnapshotClass,
  RedisBackup,
  type RedisBackupProps,
  RedisMode,
  RedisRole,
  type RedisSentinel,
  SnapshotClass,
  VolumeRole,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { jobConfig, type Manifest, only, podOf } from './synth';

const DATA = BackupVolume.fromServerPod('data');
const LOG = BackupVolume.fromServerPod('log', { role: VolumeRole.LOG });
const GROUP = GroupSnapshotClass.fromName('together');

function synth(props: Partial<RedisBackupProps> = {}): Manifest[] {
  const chart = new Chart(Testing.app(), 'sessions', { namespace: 'shop' });
  new RedisBackup(chart, 'sessions-db', {
    host: 'sessions-db',
    credentials: Secret.fromSecretName(chart, 'login', 'sessions-db-backup'),
    volumes: [DATA],
    ...(props.groupSnapshotClass === undefined ? { snapshotClass: SnapshotClass.fromName('retained') } : {}),
    schedule: BackupSchedule.daily({ hour: 2 }),
    ...props,
  });
  return Testing.synth(chart);
}

describe('a RedisBackup', () => {
  it('says all that the runner needs', () => {
    const { spec } = jobConfig(synth());
    expect(spec).toMatchObject({
      engine: 'redis',
      connection: { host: 'sessions-db', port: 6379 },
      volumes: [{ name: 'data', role: 'data', podVolume: 'data' }],
      layout: 'auto',
    });
    expect(spec.engineOptions).toBeUndefined();
    expect(spec.connection.sentinel).toBeUndefined();
  });

  it.each([
    [undefined, true],
    [RedisMode.AOF, true],
    [RedisMode.RDB, undefined],
    [RedisMode.RDB_PAUSED, undefined],
  ])('of mode %s has a guard: %s', (mode, guarded) => {
    const { spec } = jobConfig(synth(mode === undefined ? {} : { mode }));
    expect(spec.guarded).toBe(guarded);
    expect(spec.engineOptions).toEqual(mode === undefined ? undefined : { mode });
  });

  it.each([RedisRole.MASTER, RedisRole.REPLICA])('carries the role %s', (role) => {
    expect(jobConfig(synth({ role })).spec.engineOptions).toEqual({ role });
  });

  describe('with sentinels', () => {
    const sentinelOf = (sentinel: RedisSentinel): unknown => jobConfig(synth({ sentinel })).spec.connection.sentinel;

    it('names the master, and lets the host lead to a sentinel', () => {
      expect(sentinelOf({ masterName: 'sessions' })).toEqual({ masterName: 'sessions' });
    });

    it('names each of them, with its port where it has another', () => {
      expect(
        sentinelOf({ masterName: 'sessions', addresses: ['watcher-0.watcher', 'watcher-1.watcher:6380'] }),
      ).toEqual({
        masterName: 'sessions',
        addresses: [{ host: 'watcher-0.watcher' }, { host: 'watcher-1.watcher', port: 6380 }],
      });
    });

    it('mounts their login as files beside that of the server', () => {
      const credentials = Secret.fromSecretName(Testing.chart(), 'sentinels', 'watcher-login');
      const manifests = synth({
        sentinel: { masterName: 'sessions', credentials, usernameKey: 'name', passwordKey: 'key' },
      });
      expect(jobConfig(manifests).spec.connection.sentinel).toEqual({
        masterName: 'sessions',
        usernameFile: '/var/run/secrets/stillpoint/credentials/sentinel-username',
        passwordFile: '/var/run/secrets/stillpoint/credentials/sentinel-password',
      });
      const { volumes } = podOf(only(manifests, 'CronJob')).spec;
      const { projected } = volumes.find(({ name }: Manifest) => name === 'credentials');
      expect(projected.sources).toContainEqual({
        secret: {
          name: 'watcher-login',
          optional: true,
          items: [
            { key: 'name', path: 'sentinel-username' },
            { key: 'key', path: 'sentinel-password' },
          ],
        },
      });
    });

    it('needs no user name where they have a password alone', () => {
      const credentials = Secret.fromSecretName(Testing.chart(), 'sentinels', 'watcher-login');
      expect(sentinelOf({ masterName: 'sessions', credentials })).toEqual({
        masterName: 'sessions',
        passwordFile: '/var/run/secrets/stillpoint/credentials/sentinel-password',
      });
    });
  });

  it.each<[string, Partial<RedisBackupProps>, RegExp]>([
    ['no data', { volumes: [LOG] }, /a server has its dump and its append-only files on one/],
    ['two volumes', { volumes: [DATA, LOG] }, /has the volumes data \(data\), log \(log\)/],
    ['a group class for one volume', { groupSnapshotClass: GROUP }, /names no snapshot class/],
  ])('refuses %s', (_, props, message) => {
    expect(() => synth(props)).toThrow(message);
  });
});
