/** The rights of the accounts that take no backups. */
import type { AccessNeed } from './access';
import { GROUP_SNAPSHOT_GROUP, SNAPSHOT_GROUP } from './api-groups';

/** The rights of the pruner: the only account that may turn a content to `Delete` (safety rule 14). */
export function prunerAccess(): readonly AccessNeed[] {
  return [
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['get', 'list', 'update', 'delete'],
      why: 'find what is to be removed, say what could not be, and remove the record last',
    },
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

/**
 * The rights of a person who restores in place: of nobody's Job. They take a database away and put other data in its
 * place, so they are asked for by name, and no other account has them.
 */
export function inPlaceAccess(): readonly AccessNeed[] {
  const database = (apiGroup: string, resource: string, verbs: readonly string[], why: string): AccessNeed => {
    return { scope: 'database', apiGroup, resource, verbs, why };
  };
  const cluster = (apiGroup: string, resource: string, verbs: readonly string[], why: string): AccessNeed => {
    return { scope: 'cluster', apiGroup, resource, verbs, why };
  };
  return [
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['get', 'list'],
      why: 'find the record of the backup',
    },
    database('apps', 'statefulsets', ['get', 'patch'], 'scale the database down and up again'),
    database('apps', 'deployments', ['get', 'patch'], 'scale the database down and up again'),
    database(
      '',
      'pods',
      ['create', 'delete', 'get', 'list', 'watch'],
      'see that nobody holds the claims, and start a server on the copy',
    ),
    database('', 'pods/log', ['get'], 'say why that server did not come up'),
    database(
      '',
      'persistentvolumeclaims',
      ['create', 'delete', 'get', 'list', 'patch', 'watch'],
      'make the copy, and give the volumes their claims',
    ),
    database('', 'configmaps', ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'], 'keep the journals'),
    database(
      'batch',
      'jobs',
      ['create', 'delete', 'get', 'list', 'watch'],
      'prepare the copy, and take a backup of the present state',
    ),
    database('batch', 'cronjobs', ['get', 'list'], 'find the policy by which that backup is taken'),
    database('coordination.k8s.io', 'leases', ['create', 'get', 'update'], 'keep backups away meanwhile'),
    database(SNAPSHOT_GROUP, 'volumesnapshots', ['create', 'delete', 'get', 'list', 'watch'], 'make the copy of them'),
    {
      ...database('autoscaling', 'horizontalpodautoscalers', ['list'], 'see who else sets the replicas'),
      optional: true,
    },
    { ...database('keda.sh', 'scaledobjects', ['list'], 'see who else sets the replicas'), optional: true },
    cluster('', 'persistentvolumes', ['get', 'patch'], 'keep the volumes, and give each to another claim'),
    cluster('storage.k8s.io', 'storageclasses', ['get', 'list'], 'see that the class is of the driver of the snapshot'),
    {
      ...cluster(
        SNAPSHOT_GROUP,
        'volumesnapshotcontents',
        ['create', 'delete', 'get', 'list', 'watch'],
        'restore where the VolumeSnapshot itself is gone',
      ),
      optional: true,
    },
    cluster('', 'namespaces', ['get'], 'tell a namespace that is missing from one in which nobody works'),
  ];
}
