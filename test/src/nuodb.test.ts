import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupGroup,
  BackupSchedule,
  BackupVolume,
  GroupSnapshotClass,
  NuoDbBackup,
  type NuoDbBackupProps,
  NuoDbFreezeMode,
  NuoDbMember,
  type NuoDbMemberProps,
  SnapshotClass,
  VolumeMember,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { fits, GROUP_CONFIG, type GroupConfig } from '../../src/contract';
import { jobConfig, type Manifest, only, podOf } from './synth';

const GROUP = GroupSnapshotClass.fromName('together');

function synth(props: Partial<NuoDbBackupProps> = {}): Manifest[] {
  const chart = new Chart(Testing.app(), 'messaging', { namespace: 'messaging' });
  new NuoDbBackup(chart, 'demo', {
    databaseLabel: 'demo',
    ...(props.groupSnapshotClass === undefined ? { snapshotClass: SnapshotClass.fromName('retained') } : {}),
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

describe('a NuoDbBackup', () => {
  it('finds the storage managers by the labels of the Helm chart, and asks for no login', () => {
    const manifests = synth({ domain: 'nuodb' });
    const { spec } = jobConfig(manifests);
    expect(spec).toMatchObject({
      engine: 'nuodb',
      servers: {
        matchLabels: { group: 'nuodb', component: 'sm', database: 'demo', domain: 'nuodb' },
        port: 8000,
        groupLabel: 'release',
      },
      volumes: [
        { name: 'archive', role: 'data', podVolume: 'archive-volume' },
        { name: 'journal', role: 'log', podVolume: 'journal-volume', optional: true },
      ],
      layout: 'auto',
      guarded: true,
    });
    expect(spec.connection).toBeUndefined();
    expect(podOf(only(manifests, 'CronJob')).spec.volumes.map(({ name }: Manifest) => name)).not.toContain(
      'credentials',
    );
  });

  it.each([
    [{ storageGroupReleases: ['a', 'b'], groupSnapshotClass: GROUP }, { groups: ['a', 'b'] }],
    [{ storageGroupReleases: ['a', 'b'], freezeMode: NuoDbFreezeMode.SUSPEND }, { groups: ['a', 'b'] }],
    [{ hooksPort: 80 }, { port: 80 }],
  ])('of %j finds them so', (props, servers) => {
    expect(jobConfig(synth(props)).spec.servers).toMatchObject(servers);
  });

  it('keeps the Database resource, and may make a Secret for the password that it cannot read', () => {
    const manifests = synth({
      databaseResource: 'acme-messaging-demo',
      organization: 'acme',
      project: 'messaging',
      dbaCredentials: Secret.fromSecretName(new Chart(Testing.app(), 'secrets'), 'dba', 'demo-dba'),
      dbaPasswordKey: 'data',
    });
    expect(jobConfig(manifests).spec.resource).toEqual({
      apiVersion: 'cp.nuodb.com/v1beta1',
      kind: 'Database',
      plural: 'databases',
      name: 'acme-messaging-demo',
      path: '/backups/acme/messaging/demo',
      passwordFile: '/var/run/secrets/stillpoint/kept/password',
    });
    const { rules } = only(manifests, 'Role', 'demo-backup');
    expect(rules).toContainEqual({
      apiGroups: ['cp.nuodb.com'],
      resources: ['databases'],
      verbs: ['get'],
      resourceNames: ['acme-messaging-demo'],
    });
    const secrets = manifests
      .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')
      .flatMap(({ metadata, rules: all }) =>
        all
          .filter(({ resources }: Manifest) => resources.includes('secrets'))
          .map(({ verbs }: Manifest) => [metadata.namespace, ...verbs]),
      );
    expect(secrets).toEqual([['stillpoint', 'create']]);
    const kept = podOf(only(manifests, 'CronJob')).spec.volumes.find(({ name }: Manifest) => name === 'kept');
    expect(kept.projected.sources[0].secret).toMatchObject({
      name: 'demo-dba',
      items: [{ key: 'data', path: 'password' }],
    });
  });

  it.each([
    [{ organization: 'acme' }, /names one of organization and project/],
    [{ organization: 'acme', project: 'messaging' }, /and no Database resource/],
    [{ storageGroupReleases: ['a', 'b'] }, /has 2 storage groups, and transactions go on/],
    [{ storageGroupReleases: ['a', 'a'] }, /names the release "a" twice/],
    [{ storageGroupReleases: [] }, /names no release/],
    [{ freezeMode: 'ice' as NuoDbFreezeMode }, /freezeMode/],
  ])('of %j is refused', (props, message) => {
    expect(() => synth(props)).toThrow(message);
  });
});

describe('a NuoDbMember', () => {
  function group(props: Partial<NuoDbMemberProps>, together: boolean, name = 'messaging'): Manifest[] {
    const chart = new Chart(Testing.app(), 'messaging', { namespace: 'messaging' });
    new BackupGroup(chart, 'shop', {
      members: [
        new NuoDbMember(name, { databaseLabel: 'demo', ...props }),
        new VolumeMember('attachments', { volumes: [BackupVolume.fromClaimName('attachments')] }),
      ],
      ...(together ? { groupSnapshotClass: GROUP } : { snapshotClass: SnapshotClass.fromName('retained') }),
      schedule: BackupSchedule.daily({ hour: 2 }),
    });
    return Testing.synth(chart);
  }

  it.each([
    ['at one instant by the storage', {}, true, 'group', undefined],
    ['suspended', { freezeMode: NuoDbFreezeMode.SUSPEND }, false, 'auto', { freezeMode: 'suspend' }],
    ['of several storage groups', { storageGroupReleases: ['a', 'b'], hooksPort: 80 }, true, 'group', undefined],
  ] as const)('is found as a policy of its own finds it, %s', (_, props, together, layout, engineOptions) => {
    const options = { ...props } as Partial<NuoDbMemberProps>;
    const manifests = group(options, together);
    const { members, guarded } = groupConfig(manifests).spec;
    const own = synth({ ...options, ...(together ? { groupSnapshotClass: GROUP } : {}) });
    const { engine, servers, volumes } = jobConfig(own).spec;
    expect(members[0]).toEqual({
      name: 'messaging',
      engine,
      servers,
      volumes,
      layout,
      ...(engineOptions === undefined ? {} : { engineOptions }),
    });
    expect(guarded).toBe(true);
    expect(podOf(only(manifests, 'CronJob')).spec.volumes.map(({ name }: Manifest) => name)).not.toContain(
      'credentials',
    );
  });

  it.each([
    [{}, /has the member "messaging", a NuoDB whose transactions go on/],
    [{ freezeMode: NuoDbFreezeMode.FSFREEZE }, /has the member "messaging", a NuoDB whose transactions go on/],
    [{ freezeMode: 'ice' as NuoDbFreezeMode }, /freezeMode/],
    [{ storageGroupReleases: [] }, /names no release/],
  ])('of %j without a group snapshot is refused', (props, message) => {
    expect(() => group(props, false)).toThrow(message);
  });

  it('has a name that volumes can be called by', () => {
    expect(() => group({}, true, 'My NuoDB')).toThrow(/member My NuoDB/);
  });
});
