/** The rights of the accounts that take no backups. */
import { type AccessNeed, inNamespace, slotAccess } from './access-needs';
import { GROUP_SNAPSHOT_GROUP, SNAPSHOT_GROUP } from './api-groups';
import { PRUNER_NAME } from './names';

/**
 * The rights of the pruner: the only account that may turn a content to `Delete` (safety rule 14). `copiesOf`: the namespace of a
 * registry that has copies of its records in a store.
 */
export function prunerAccess(copiesOf?: string): readonly AccessNeed[] {
  return [
    ...(copiesOf === undefined ? [] : [ownNamespace(copiesOf)]),
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['get', 'list', 'update', 'delete'],
      why: 'find what is to be removed, say what could not be, and remove the record last',
    },
    {
      scope: 'registry',
      apiGroup: 'apps',
      resource: 'deployments/scale',
      verbs: ['patch'],
      names: [PRUNER_NAME],
      why: 'rest when it has done what it was asked for',
    },
    slotAccess(1, 'remove snapshots in turn with backups, so that no database is held while the controller removes'),
    {
      scope: 'cluster',
      apiGroup: SNAPSHOT_GROUP,
      resource: 'volumesnapshots',
      verbs: ['get', 'list', 'watch', 'delete'],
      why: "remove the snapshots of deleted and failed backups, in the databases' namespaces",
    },
    {
      scope: 'cluster',
      apiGroup: SNAPSHOT_GROUP,
      resource: 'volumesnapshotcontents',
      verbs: ['get', 'list', 'watch', 'patch', 'delete'],
      why: 'let the storage forget them, although their class retains them',
    },
    {
      scope: 'cluster',
      apiGroup: GROUP_SNAPSHOT_GROUP,
      resource: 'volumegroupsnapshots',
      verbs: ['get', 'list', 'watch', 'delete'],
      why: 'as for the members: a group is only deleted as a whole',
    },
    {
      scope: 'cluster',
      apiGroup: GROUP_SNAPSHOT_GROUP,
      resource: 'volumegroupsnapshotcontents',
      verbs: ['get', 'list', 'watch', 'patch', 'delete'],
      why: 'as for the members: a group is only deleted as a whole',
    },
  ];
}

function ownNamespace(name: string): AccessNeed {
  const why =
    'tell its registry from one that was lost and made anew: that knows nothing of the copies of the old records';
  return { scope: 'cluster', apiGroup: '', resource: 'namespaces', verbs: ['get'], names: [name], why };
}

/** The rights of the Job that prepares restored claims: to read the one record that it works by. */
export function prepareAccess(record: string): readonly AccessNeed[] {
  return [
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['get'],
      names: [record],
      why: 'read the record of the backup that is restored',
    },
  ];
}

/** The rights of the Job that restores a dump: the one record that it works by, and what happens on its own Job. */
export function dumpRestoreAccess(record: string): readonly AccessNeed[] {
  return [
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['get', 'patch'],
      names: [record],
      why: 'read the record of the dump, and mark it as in use: nobody removes it meanwhile',
    },
    inNamespace('', 'pods', ['get'], 'find the Job that its own pod belongs to'),
    inNamespace('batch', 'jobs', ['get'], 'know that Job, to say on it what happens'),
    inNamespace('', 'events', ['create'], 'say on the Job what happens'),
  ];
}

const inCluster = (apiGroup: string, resource: string, verbs: readonly string[], why: string): AccessNeed => ({
  scope: 'cluster',
  apiGroup,
  resource,
  verbs,
  why,
});

/**
 * To make contents that stand for snapshots which the storage has. RBAC cannot tell which handles they name, and whom they are
 * deleted for: src/content-guard.ts holds accounts of these names to their own namespace, and to contents that retain.
 */
function contentAccess(why: string): AccessNeed {
  return inCluster(SNAPSHOT_GROUP, 'volumesnapshotcontents', ['create', 'get', 'list', 'watch', 'delete'], why);
}

/** The rights of an account that imports backups into its own namespace. */
export function importAccess(): readonly AccessNeed[] {
  return [
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['create', 'get', 'list'],
      why: 'register what is imported, and see whether it is there already: the admission policy of the registry keeps it to its own namespace',
    },
    inNamespace(
      SNAPSHOT_GROUP,
      'volumesnapshots',
      ['create', 'get', 'list', 'watch', 'delete'],
      'make the snapshots of what is imported, see that they are bound, remove those of an import that failed',
    ),
    inCluster(SNAPSHOT_GROUP, 'volumesnapshotclasses', ['get', 'list'], 'find the class of the driver'),
    contentAccess('make what names the snapshots of the storage, and remove that of an import that failed'),
    {
      ...inCluster('', 'namespaces', ['get'], 'tell a namespace that is missing from one that is empty'),
      optional: true,
    },
  ];
}

/** What of a schedule of clones decides on the rights that it needs. */
export interface CloneAccessRequest {
  /** Whether a server runs on the clones. */
  readonly workload: boolean;
  /** Whether the backups are of another namespace: then their snapshots cannot be used there. */
  readonly elsewhere: boolean;
}

/** The rights of an account that makes clones in its own namespace. */
export function cloneAccess({ workload, elsewhere }: CloneAccessRequest): readonly AccessNeed[] {
  const kept = ['create', 'get', 'list', 'watch', 'delete'] as const;
  return [
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['get', 'list'],
      why: 'find the newest backup that succeeded',
    },
    inNamespace('', 'persistentvolumeclaims', kept, 'make the volumes of a clone, and remove those of the one before'),
    inNamespace(SNAPSHOT_GROUP, 'volumesnapshots', kept, 'make volumes from them'),
    inNamespace('batch', 'jobs', kept, 'have the files prepared; and know by its own Job which clone is its own'),
    inNamespace('', 'pods', kept, 'start the server that nobody reaches, and see when the other is ready'),
    inNamespace('', 'pods/log', ['get'], 'tell why a server does not start'),
    inNamespace('', 'configmaps', [...kept, 'patch'], 'write down how far a clone has come'),
    // The clone that is replaced may have had a server, also where the new one has none.
    inNamespace('apps', 'statefulsets', kept, 'run the server of a clone, and remove that of the one before'),
    inNamespace('', 'services', [...kept, 'patch'], 'lead the name of the clones to the newest'),
    inNamespace('networking.k8s.io', 'networkpolicies', kept, 'let no clone reach out'),
    inNamespace(
      '',
      'secrets',
      workload ? ['create', 'get', 'patch', 'delete'] : ['get', 'delete'],
      'give each clone a login of its own. RBAC cannot limit it to those: give clones a namespace of their own',
    ),
    inNamespace('policy', 'poddisruptionbudgets', ['list'], 'see what would take a clone for the original'),
    inCluster('storage.k8s.io', 'storageclasses', ['get', 'list'], 'compare the class of the claims with the driver'),
    ...(elsewhere
      ? [contentAccess("make a clone of another namespace's snapshots, by what the storage calls them")]
      : []),
    {
      ...inCluster('', 'persistentvolumes', ['get'], 'say which volumes their class keeps when a clone is removed'),
      optional: true,
    },
    {
      ...inCluster('', 'namespaces', ['get'], 'tell a registry that is missing from a right that is'),
      optional: true,
    },
  ];
}

/**
 * The rights of a person who restores in place: of nobody's Job. They take a database away and put other data in its
 * place, so they are asked for by name, and no other account has them.
 */
export function inPlaceAccess(): readonly AccessNeed[] {
  return [
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['get', 'list'],
      why: 'find the record of the backup',
    },
    inNamespace('apps', 'statefulsets', ['get', 'patch'], 'scale the database down and up again'),
    inNamespace('apps', 'deployments', ['get', 'patch'], 'scale the database down and up again'),
    inNamespace(
      '',
      'pods',
      ['create', 'delete', 'get', 'list', 'watch'],
      'see that nobody holds the claims, and start a server on the copy',
    ),
    inNamespace('', 'pods/log', ['get'], 'say why that server did not come up'),
    inNamespace(
      '',
      'persistentvolumeclaims',
      ['create', 'delete', 'get', 'list', 'patch', 'watch'],
      'make the copy, and give the volumes their claims',
    ),
    inNamespace('', 'configmaps', ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'], 'keep the journals'),
    inNamespace(
      'batch',
      'jobs',
      ['create', 'delete', 'get', 'list', 'watch'],
      'prepare the copy, and take a backup of the present state',
    ),
    inNamespace('batch', 'cronjobs', ['get', 'list'], 'find the policy by which that backup is taken'),
    inNamespace('coordination.k8s.io', 'leases', ['create', 'get', 'update'], 'keep backups away meanwhile'),
    inNamespace(
      SNAPSHOT_GROUP,
      'volumesnapshots',
      ['create', 'delete', 'get', 'list', 'watch'],
      'make the copy of them',
    ),
    {
      ...inNamespace('autoscaling', 'horizontalpodautoscalers', ['list'], 'see who else sets the replicas'),
      optional: true,
    },
    { ...inNamespace('keda.sh', 'scaledobjects', ['list'], 'see who else sets the replicas'), optional: true },
    inCluster('', 'persistentvolumes', ['get', 'patch'], 'keep the volumes, and give each to another claim'),
    inCluster(
      'storage.k8s.io',
      'storageclasses',
      ['get', 'list'],
      'see that the class is of the driver of the snapshot',
    ),
    {
      ...inCluster(
        SNAPSHOT_GROUP,
        'volumesnapshotcontents',
        ['create', 'delete', 'get', 'list', 'watch'],
        'restore where the VolumeSnapshot itself is gone',
      ),
      optional: true,
    },
    inCluster('', 'namespaces', ['get'], 'tell a namespace that is missing from one in which nobody works'),
  ];
}
