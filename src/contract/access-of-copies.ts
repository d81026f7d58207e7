/** The rights of the account that copies snapshots off the cluster: none to make a pod, and of pods none but to see them. */
import {
  type AccessNeed,
  ASK_PRUNER,
  HOLD_LEASE,
  inNamespace,
  JOB_OF_BACKUP,
  KEEP_RECORDS,
  knowCluster,
  MAKE_LEASE,
  SAY_EVENTS,
} from './access-needs';
import { SNAPSHOT_GROUP } from './api-groups';
import type { CopyConfig } from './copy-config';
import { DEFAULT_REGISTRY_NAMESPACE, dumpLeaseName } from './names';

/** The rights of the account of one policy of copies. */
export function copyAccess({ spec }: Pick<CopyConfig, 'spec'>): readonly AccessNeed[] {
  const { worker, order, volumes } = spec.copy;
  return [
    inNamespace('', 'pods', ['get', 'list', 'watch'], 'find the Job of its own pod, and see what the worker ends with'),
    JOB_OF_BACKUP,
    inNamespace(SNAPSHOT_GROUP, 'volumesnapshots', ['get'], 'see that a snapshot is the one on record, and ready'),
    inNamespace('', 'persistentvolumeclaims', ['create'], 'make a claim of each snapshot'),
    {
      ...inNamespace(
        '',
        'persistentvolumeclaims',
        ['get', 'list', 'watch', 'delete'],
        'remove those claims, and no others',
      ),
      names: volumes.map(({ claim }) => claim),
    },
    inNamespace('', 'configmaps', ['create'], 'tell the worker what to do'),
    { ...inNamespace('', 'configmaps', ['get', 'list', 'watch', 'delete'], 'take that back'), names: [order] },
    {
      ...inNamespace('apps', 'deployments/scale', ['patch'], 'start and end the worker, whose pod it cannot change'),
      names: [worker],
    },
    MAKE_LEASE,
    { ...HOLD_LEASE, names: [dumpLeaseName(spec.database)] },
    SAY_EVENTS,
    KEEP_RECORDS,
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['patch'],
      optional: true,
      why: 'mark a backup as in use while it is copied, so that no prune takes its snapshots away',
    },
    ...(spec.prune === true ? [ASK_PRUNER] : []),
    ...(spec.clusterScope === false ? [] : [knowCluster(spec.registry.namespace ?? DEFAULT_REGISTRY_NAMESPACE)]),
  ];
}
