import { Chart, Testing } from 'cdk8s';
import {
  BackupVolume,
  GroupSnapshotClass,
  type PostgresBackupProps,
  Registry,
  SnapshotClass,
  VolumeRole,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { backupAccess, prepareAccess, prunerAccess } from '../../src/contract';
import { type Manifest, only, synth } from './synth';

/** A rule as one line: `get,list pods`, `get namespaces [kube-system]`. */
function lines(role: Manifest): string[] {
  return role.rules.map(({ apiGroups, resources, verbs, resourceNames }: Manifest) => {
    const names = resourceNames === undefined ? '' : ` [${resourceNames.join(' ')}]`;
    return `${verbs.join(',')} ${apiGroups.map((group: string) => (group === '' ? '' : `${group}/`))}${resources}${names}`;
  });
}

const DATABASE = 'orders-db-backup';
const ELSEWHERE = 'stillpoint.shop.orders-db-backup';

describe('the account that takes backups', () => {
  const manifests = synth();

  it('may do in its own namespace, line by line', () => {
    const role = only(manifests, 'Role', DATABASE);
    expect(role.metadata.namespace).toBe('shop');
    expect(lines(role)).toEqual([
      // Trace the server that answers to its pod, and read the claims that it mounts.
      'get,list pods',
      // The claims of the policy, and no other.
      'get persistentvolumeclaims [data-orders-db-0]',
      // What a restore needs when the original is gone.
      'get apps/statefulsets',
      'get apps/replicasets',
      'get apps/deployments',
      // Its own Job: the id of the backup comes from it. Jobs of a schedule have names that are not known beforehand.
      'get batch/jobs',
      // The snapshots, and what is written on them after the cut; RBAC cannot tell ours from others by name.
      'create,delete,get,list,patch,watch snapshot.storage.k8s.io/volumesnapshots',
      // The Lease that keeps two backups apart: created under any name, used under one.
      'create coordination.k8s.io/leases',
      'get,update coordination.k8s.io/leases [stillpoint-orders-db]',
      // Those of people who back up the same server by another name.
      'get coordination.k8s.io/leases',
      'create events',
    ]);
  });

  it('may keep records in the registry, and not delete them', () => {
    const role = only(manifests, 'Role', ELSEWHERE);
    expect(role.metadata.namespace).toBe('stillpoint');
    expect(lines(role)).toEqual([
      'create,get,list,update configmaps',
      // Its turn at the snapshot controller, taken before the freeze.
      'get,list,watch,update coordination.k8s.io/leases [stillpoint-slot-0]',
    ]);
  });

  it('may only read what has no namespace', () => {
    const role = only(manifests, 'ClusterRole');
    expect(role.metadata).not.toHaveProperty('namespace');
    expect(lines(role)).toEqual([
      'get snapshot.storage.k8s.io/volumesnapshotclasses [retained]',
      'get,list,watch snapshot.storage.k8s.io/volumesnapshotcontents',
      'get persistentvolumes',
      'get namespaces [kube-system stillpoint]',
    ]);
  });

  it('is the only one that gets these rights', () => {
    const subject = { kind: 'ServiceAccount', name: DATABASE, namespace: 'shop' };
    const bound = (kind: string, name: string): Manifest => only(manifests, kind, name);
    for (const [binding, role] of [
      [bound('RoleBinding', DATABASE), 'Role'],
      [bound('RoleBinding', ELSEWHERE), 'Role'],
      [bound('ClusterRoleBinding', ELSEWHERE), 'ClusterRole'],
    ]) {
      expect(binding.subjects).toEqual([subject]);
      expect(binding.roleRef).toEqual({
        apiGroup: 'rbac.authorization.k8s.io',
        kind: role,
        name: binding.metadata.name,
      });
    }
    expect(bound('RoleBinding', ELSEWHERE).metadata.namespace).toBe('stillpoint');
    expect(only(manifests, 'ServiceAccount').automountServiceAccountToken).toBe(false);
  });

  /** What changes with the policy. */
  const rulesFor = (props: Partial<PostgresBackupProps>, kind = 'ClusterRole'): string[] =>
    synth(props)
      .filter((object) => object.kind === kind)
      .flatMap(lines);

  it('may list claims only where they are found by labels', () => {
    const volumes = [BackupVolume.fromLabels({ app: 'orders-db' })];
    expect(rulesFor({ volumes }, 'Role')).toContain('get,list persistentvolumeclaims');
    expect(rulesFor({}, 'Role')).not.toContain('get,list persistentvolumeclaims');
  });

  it('may make contents only where snapshots are cut directly, and never change or delete one', () => {
    const direct = rulesFor({ directCut: true });
    expect(direct).toContain('create,get,list,watch snapshot.storage.k8s.io/volumesnapshotcontents');
    expect(direct.filter((line) => line.includes('volumesnapshotcontents'))).toHaveLength(1);
    expect(rulesFor({ directCut: true, clusterAccess: false })).toEqual([
      'get snapshot.storage.k8s.io/volumesnapshotclasses [retained]',
      'create,get,list,watch snapshot.storage.k8s.io/volumesnapshotcontents',
      'get persistentvolumes',
    ]);
  });

  it('may list classes only to find the default one', () => {
    expect(rulesFor({ snapshotClass: SnapshotClass.fromClusterDefault() })).toContain(
      'list snapshot.storage.k8s.io/volumesnapshotclasses',
    );
  });

  it('may make group snapshots only where there is a class for them', () => {
    const volumes = [BackupVolume.fromClaimName('a'), BackupVolume.fromClaimName('b', { role: VolumeRole.LOG })];
    const props = { volumes, groupSnapshotClass: GroupSnapshotClass.fromName('groups') };
    expect(rulesFor(props, 'Role')).toContain(
      'create,delete,get,list,watch groupsnapshot.storage.k8s.io/volumegroupsnapshots',
    );
    expect(rulesFor(props)).toContain('get groupsnapshot.storage.k8s.io/volumegroupsnapshotclasses [groups]');
  });

  it('may do nothing in the cluster where that is not wanted', () => {
    expect(rulesFor({ clusterAccess: false })).toEqual([]);
    expect(synth({ clusterAccess: false }).map(({ kind }) => kind)).not.toContain('ClusterRoleBinding');
  });
});

describe('the account that prunes', () => {
  const chart = new Chart(Testing.app(), 'registry');
  new Registry(chart, 'registry');
  const manifests = Testing.synth(chart);

  it('may let the storage forget, and is the only one', () => {
    expect(lines(only(manifests, 'Role'))).toEqual([
      'get,list,update,delete configmaps',
      'patch apps/deployments/scale [stillpoint-pruner]',
      'get,list,watch,update coordination.k8s.io/leases [stillpoint-slot-0]',
    ]);
    expect(lines(only(manifests, 'ClusterRole'))).toEqual([
      'get,list,watch,delete snapshot.storage.k8s.io/volumesnapshots',
      'get,list,watch,patch,delete snapshot.storage.k8s.io/volumesnapshotcontents',
      'get,list,watch,delete groupsnapshot.storage.k8s.io/volumegroupsnapshots',
      'get,list,watch,patch,delete groupsnapshot.storage.k8s.io/volumegroupsnapshotcontents',
    ]);
    const subject = { kind: 'ServiceAccount', name: 'stillpoint-pruner', namespace: 'stillpoint' };
    expect(only(manifests, 'ClusterRoleBinding').subjects).toEqual([subject]);
    expect(only(manifests, 'RoleBinding').subjects).toEqual([subject]);
    expect(only(manifests, 'RoleBinding').metadata.namespace).toBe('stillpoint');
  });
});

describe('every right', () => {
  const request = {
    claims: ['a'],
    byLabel: false,
    byPod: false,
    directCut: false,
    slots: 0,
    snapshotClasses: ['c'],
    groupClasses: ['g'],
    lease: 'l',
    registryNamespace: 'r',
    clusterScope: true,
  };
  const needs = [...backupAccess(request), ...prunerAccess(), ...prepareAccess('n')];

  it('has a reason', () => {
    for (const { why } of needs) expect(why.length).toBeGreaterThan(20);
  });

  it('is a verb on a resource: no wildcard, no Secret, no exec, no escalation', () => {
    for (const { apiGroup, resource, verbs } of needs) {
      expect([apiGroup, resource, ...verbs].join(' ')).not.toContain('*');
      expect(['secrets', 'pods/exec', 'roles', 'clusterroles', 'serviceaccounts/token']).not.toContain(resource);
      expect(verbs).not.toEqual(expect.arrayContaining([expect.stringMatching(/bind|escalate|impersonate/)]));
    }
  });

  it('on Secrets is to make one in the registry, and only where a password is kept', () => {
    const database = { apiVersion: 'cp.nuodb.com/v1beta1', kind: 'Database', plural: 'databases', name: 'demo' };
    const secrets = (resource: typeof database & { passwordFile?: string }): readonly unknown[] =>
      backupAccess({ ...request, resources: [resource] })
        .filter((need) => need.resource === 'secrets')
        .map(({ scope, verbs }) => [scope, ...verbs]);
    expect(secrets(database)).toEqual([]);
    expect(secrets({ ...database, passwordFile: '/password' })).toEqual([['registry', 'create']]);
  });

  it('is limited by names only where RBAC can do that', () => {
    for (const { resource, verbs, names } of needs) {
      // A turn is listed and watched by its name: then the API server holds the name against the right.
      const unlimited = resource === 'leases' ? /create/ : /create|list|watch/;
      if (names !== undefined) expect(verbs).not.toEqual(expect.arrayContaining([expect.stringMatching(unlimited)]));
    }
  });
});
