import { Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupVolume,
  DeploymentTool,
  InPlaceAccess,
  PreDeploymentBackup,
  type PreDeploymentBackupProps,
  RedisBackup,
  SnapshotClass,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { inPlaceAccess, LABELS } from '../../src/contract';
import { type Manifest, only, policy, shop } from './synth';

function synth(props: Omit<PreDeploymentBackupProps, 'backup'>): Manifest[] {
  const chart = shop();
  new PreDeploymentBackup(chart, 'before', { backup: policy(chart), ...props });
  return Testing.synth(chart);
}

const jobOf = (manifests: Manifest[]): Manifest => only(manifests, 'Job');

describe('a backup before a deployment with Argo CD', () => {
  const manifests = synth({ tool: DeploymentTool.ARGO_CD, revision: 'v1.2.3' });
  const job = jobOf(manifests);

  it('is a PreSync hook that is made anew at each sync, and its config one that comes before it', () => {
    expect(job.metadata.name).toBe('orders-db-backup-before');
    expect(job.metadata.annotations).toMatchObject({
      'argocd.argoproj.io/hook': 'PreSync',
      'argocd.argoproj.io/hook-delete-policy': 'BeforeHookCreation',
      'argocd.argoproj.io/sync-wave': '-1',
    });
    expect(only(manifests, 'ConfigMap', job.metadata.name).metadata.annotations).toMatchObject({
      'argocd.argoproj.io/hook': 'PreSync',
      'argocd.argoproj.io/hook-delete-policy': 'BeforeHookCreation',
      'argocd.argoproj.io/sync-wave': '-2',
    });
    expect(jobOf(synth({ tool: DeploymentTool.ARGO_CD, syncWave: 3 })).metadata.annotations).toMatchObject({
      'argocd.argoproj.io/sync-wave': '3',
    });
  });

  it('is taken as the policy says, with the trigger that keeps it and the revision', () => {
    const config = parse(only(manifests, 'ConfigMap', job.metadata.name).data['backup.yaml']);
    expect(config.spec).toMatchObject({ database: 'orders-db', trigger: 'pre-deployment', revision: 'v1.2.3' });
    expect(job.metadata.labels[LABELS.revision]).toBe('v1.2.3');
    expect(job.spec.template.spec).toMatchObject({ serviceAccountName: 'orders-db-backup' });
    expect(job.spec).not.toHaveProperty('ttlSecondsAfterFinished');
  });
});

describe('a backup before a deployment with Flux', () => {
  it('is a Job whose name changes with the revision, and with nothing else', () => {
    const nameOf = (revision: string): string => jobOf(synth({ tool: DeploymentTool.FLUX, revision })).metadata.name;
    expect(nameOf('v1')).toMatch(/^orders-db-backup-before-[0-9a-f]+$/);
    expect(nameOf('v1')).toBe(nameOf('v1'));
    expect(nameOf('v2')).not.toBe(nameOf('v1'));
    expect(jobOf(synth({ tool: DeploymentTool.FLUX, revision: 'v1' })).metadata.annotations ?? {}).toEqual({});
  });

  it.each([
    [{}, 'names no revision, and without a new one there is no new Job'],
    [{ revision: '' }, 'names no revision'],
    [{ revision: '+++' }, 'has the revision "+++", of which no label can be made'],
    [{ revision: 'v1', syncWave: 2 }, "has the sync wave 2, which is Argo CD's alone"],
  ])('%j is refused', (props, message) => {
    expect(() => synth({ tool: DeploymentTool.FLUX, ...props })).toThrow(message);
  });
});

describe('with a guard', () => {
  it('the Job has succeeded when its runner has', () => {
    const chart = shop();
    const backup = new RedisBackup(chart, 'sessions-db', {
      host: 'sessions-db',
      credentials: Secret.fromSecretName(chart, 'login', 'sessions-db'),
      volumes: [BackupVolume.fromServerPod('data')],
      snapshotClass: SnapshotClass.fromName('retained'),
      schedule: BackupSchedule.hourly(),
    });
    new PreDeploymentBackup(chart, 'before', { backup, tool: DeploymentTool.ARGO_CD });
    expect(jobOf(Testing.synth(chart)).spec).toMatchObject({
      completionMode: 'Indexed',
      successPolicy: { rules: [{ succeededIndexes: '0' }] },
    });
  });

  it('a name that is too long is refused', () => {
    const chart = shop();
    const id = 'before-each-and-every-deployment-of-the-shop-in-the-north';
    expect(() => new PreDeploymentBackup(chart, id, { backup: policy(chart), tool: DeploymentTool.ARGO_CD })).toThrow(
      /would make a Job named .* and a Job may have 63/,
    );
  });
});

describe('the rights of people who restore in place', () => {
  it('are bound in the namespaces that are named, and what is cluster-wide apart from them', () => {
    const chart = shop();
    new InPlaceAccess(chart, 'dba', { group: 'dba', namespaces: ['shop', 'store'] });
    const manifests = Testing.synth(chart);
    const bindings = manifests.filter(({ kind }) => kind === 'RoleBinding');
    expect(bindings.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
      'shop/dba',
      'store/dba',
      'stillpoint/dba-registry',
    ]);
    for (const { subjects } of bindings) expect(subjects).toMatchObject([{ kind: 'Group', name: 'dba' }]);
    const wide = only(manifests, 'ClusterRole', 'dba-cluster');
    expect(wide.rules.find((rule: Manifest) => rule.resources.includes('persistentvolumes')).verbs).toEqual([
      'get',
      'patch',
    ]);
    const all = manifests.filter(({ kind }) => kind === 'ClusterRole').flatMap(({ rules }) => rules);
    expect(all).toHaveLength(inPlaceAccess().length);
    // Secrets, volumes' deletion and the roles themselves are nobody's here.
    expect(JSON.stringify(all)).not.toMatch(/secrets|\*|rbac/);
    expect(all.filter(({ resources }) => resources.includes('persistentvolumes'))).not.toMatchObject([
      { verbs: expect.arrayContaining(['delete']) },
    ]);
  });
});
