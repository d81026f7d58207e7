import { Chart, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  GroupSnapshotClass,
  NuoDbBackup,
  type NuoDbBackupProps,
  NuoDbFreezeMode,
  SnapshotClass,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
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
