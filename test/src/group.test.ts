import { Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupGroup,
  type BackupGroupProps,
  BackupJob,
  BackupSchedule,
  BackupVolume,
  GroupSnapshotClass,
  MongoGroupMember,
  MySqlMember,
  PostgresMember,
  RedisMember,
  SnapshotClass,
  VolumeBackup,
  VolumeMember,
  VolumeRole,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { fits, GROUP_CONFIG, type GroupConfig, JOB_CONFIG } from '../../src/contract';
import { type Manifest, only, podOf, shop } from './synth';

const secret = (name: string) => Secret.fromSecretName(shop(), name, name);
const database = (name: string) => ({
  host: name,
  credentials: secret(`${name}-backup`),
  volumes: [BackupVolume.fromServerPod('data')],
});
const MEMBERS = () => [
  new PostgresMember('orders', database('orders-db')),
  new MySqlMember('accounts', { ...database('accounts-db'), certificateAuthority: secret('ca') }),
  new RedisMember('cache', database('cache')),
  new VolumeMember('uploads', { volumes: [BackupVolume.fromClaimName('uploads')] }),
];

function synth(props: Partial<BackupGroupProps> = {}): Manifest[] {
  const chart = shop();
  new BackupGroup(chart, 'shop', {
    members: MEMBERS(),
    snapshotClass: SnapshotClass.fromName('retained'),
    schedule: BackupSchedule.daily({ hour: 2 }),
    ...props,
  });
  return Testing.synth(chart);
}

function groupConfig(manifests: readonly Manifest[]): GroupConfig {
  const document: unknown = parse(only(manifests, 'ConfigMap').data['backup.yaml']);
  if (!fits(GROUP_CONFIG, document)) throw new Error('the job config does not fit its schema');
  return document;
}

describe('BackupGroup', () => {
  it('is one policy of all its members, in their order', () => {
    const { spec } = groupConfig(synth());
    expect(spec.database).toBe('shop');
    expect(spec.members.map(({ name, engine }) => `${name} ${engine}`)).toEqual([
      'orders postgres',
      'accounts mysql',
      'cache redis',
      'uploads volume',
    ]);
    expect(spec.members[3]).toEqual({
      name: 'uploads',
      engine: 'volume',
      volumes: [{ name: 'data', role: 'data', claim: 'uploads' }],
    });
  });

  it('has a guard as soon as one of its members needs one', () => {
    expect(groupConfig(synth()).spec.guarded).toBe(true);
    expect(
      groupConfig(synth({ members: [new PostgresMember('orders', database('orders-db'))] })).spec.guarded,
    ).toBeUndefined();
  });

  it("mounts each member's credentials in a folder of its own, where the job config has them", () => {
    const manifests = synth();
    const { containers, volumes } = podOf(only(manifests, 'CronJob')).spec;
    const mounts = new Map<string, string>(
      containers[0].volumeMounts.map(({ name, mountPath }: { name: string; mountPath: string }) => [mountPath, name]),
    );
    for (const { name, connection } of groupConfig(manifests).spec.members) {
      if (connection === undefined) continue;
      const { usernameFile, passwordFile, tls } = connection;
      const root = `/var/run/secrets/stillpoint/credentials/${name}`;
      expect([usernameFile, passwordFile]).toEqual([`${root}/username`, `${root}/password`]);
      const [source] = volumes.find((volume: Manifest) => volume.name === mounts.get(root)).projected.sources;
      expect(source.secret.name).toBe(`${connection.host}-backup`);
      expect(tls?.caFile).toBe(name === 'accounts' ? '/var/run/secrets/stillpoint/tls/accounts/ca.crt' : undefined);
    }
    expect(mounts.get('/var/run/secrets/stillpoint/tls/accounts')).toBe('tls-accounts');
  });

  it('may read the claims of all its members, and no more', () => {
    const rules = only(synth(), 'Role', 'shop-backup').rules as Manifest[];
    const claims = rules.find(({ resources }) => resources.includes('persistentvolumeclaims'));
    expect(claims.verbs).toEqual(['get']);
    const named = synth({
      members: [
        new VolumeMember('one', { volumes: [BackupVolume.fromClaimName('first')] }),
        new VolumeMember('two', { volumes: [BackupVolume.fromClaimName('second')] }),
      ],
    });
    const [limited] = (only(named, 'Role', 'shop-backup').rules as Manifest[]).filter(({ resources }) =>
      resources.includes('persistentvolumeclaims'),
    );
    expect(limited.resourceNames).toEqual(['first', 'second']);
  });

  it('is backed up by hand and before a deployment like any other policy', () => {
    const chart = shop();
    const backup = new BackupGroup(chart, 'shop', {
      members: MEMBERS(),
      snapshotClass: SnapshotClass.fromName('retained'),
      schedule: BackupSchedule.daily({ hour: 2 }),
    });
    const job = new BackupJob(chart, 'release', { backup });
    const config = only(Testing.synth(chart), 'ConfigMap', job.jobName);
    expect(parse(config.data['backup.yaml'])).toMatchObject({
      kind: 'BackupGroupConfig',
      spec: { trigger: 'manual', database: 'shop' },
    });
  });

  const WAL = [BackupVolume.fromClaimName('data'), BackupVolume.fromClaimName('wal', { role: VolumeRole.LOG })];

  it.each<[string, () => BackupGroupProps['members'], RegExp]>([
    ['nothing', () => [], /has no members/],
    [
      'two of one name',
      () => [new RedisMember('cache', database('a')), new RedisMember('cache', database('b'))],
      /two members named "cache"/,
    ],
    ['a name that is none', () => [new RedisMember('My Cache', database('a'))], /member My Cache "My Cache"/],
    [
      'a PostgreSQL on several volumes that are cut one by one',
      () => [new PostgresMember('orders', { ...database('orders-db'), volumes: WAL })],
      /the member "orders" with 2 volumes/,
    ],
    [
      'plain volumes of a pod that is nowhere',
      () => [new VolumeMember('uploads', { volumes: [BackupVolume.fromServerPod('data')] })],
      /from a server's pod, and there is no server/,
    ],
    [
      'a database without volumes',
      () => [new MySqlMember('accounts', { ...database('a'), volumes: [] })],
      /has no volumes/,
    ],
    ['a host that is none', () => [new MySqlMember('accounts', { ...database('a'), host: 'a b' })], /no host name/],
  ])('refuses %s', (_, members, message) => {
    expect(() => synth({ members: members() })).toThrow(message);
  });

  it('takes a PostgreSQL on several volumes where all are cut as a group', () => {
    const members = [new PostgresMember('orders', { ...database('orders-db'), volumes: WAL })];
    const manifests = synth({ members, groupSnapshotClass: GroupSnapshotClass.fromName('groups') });
    expect(groupConfig(manifests).spec.snapshots.groupClassName).toBe('groups');
  });

  it('locks the primary of a MongoDB where nothing is said: a secondary may lack what belongs to the others', () => {
    const [member] = groupConfig(synth({ members: [new MongoGroupMember('catalogue', database('catalogue-db'))] })).spec
      .members;
    expect(member?.engineOptions).toEqual({ member: 'primary', lock: 'true' });
  });
});

describe('VolumeBackup', () => {
  it('is a policy of volumes without a server', () => {
    const chart = shop();
    new VolumeBackup(chart, 'uploads', {
      volumes: [BackupVolume.fromClaimName('uploads')],
      snapshotClass: SnapshotClass.fromName('retained'),
      schedule: BackupSchedule.daily({ hour: 2 }),
    });
    const manifests = Testing.synth(chart);
    const document: unknown = parse(only(manifests, 'ConfigMap').data['backup.yaml']);
    expect(fits(JOB_CONFIG, document) && document.spec).toMatchObject({ engine: 'volume', database: 'uploads' });
    expect(podOf(only(manifests, 'CronJob')).spec.volumes.map(({ name }: { name: string }) => name)).toEqual([
      'config',
    ]);
  });
});
