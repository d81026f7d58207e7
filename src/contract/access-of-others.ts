/** The rights of the accounts that take no backups. */
import type { AccessNeed } from './access';
import { GROUP_SNAPSHOT_GROUP, SNAPSHOT_GROUP } from './api-groups';
import { PRUNER_NAME } from './names';

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
      scope: 'registry',
      apiGroup: 'apps',
      resource: 'deployments/scale',
      verbs: ['patch'],
      names: [PRUNER_NAME],
      why: 'rest when it has done what it was asked for',
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
