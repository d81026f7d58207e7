/** One right, how it is written down, and those that accounts of several kinds have. */
import { PRUNER_NAME, slotNames } from './names';

/** Where a right holds: in the database's namespace, in the registry's, or in the whole cluster. */
export type AccessScope = 'database' | 'registry' | 'cluster';

/** One rule of a Role or ClusterRole. */
export interface AccessNeed {
  readonly scope: AccessScope;
  readonly apiGroup: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Limits the rule to objects of these names. Never together with `create`: RBAC cannot limit that. */
  readonly names?: readonly string[];
  /** Without it the backup works, and says what it could not check. */
  readonly optional?: boolean;
  readonly why: string;
}

/** A right in the database's namespace. */
export function inNamespace(apiGroup: string, resource: string, verbs: readonly string[], why: string): AccessNeed {
  return { scope: 'database', apiGroup, resource, verbs, why };
}

/** A right in the whole cluster: without it one does with less. */
export function inCluster(apiGroup: string, resource: string, verbs: readonly string[], why: string): AccessNeed {
  return { scope: 'cluster', apiGroup, resource, verbs, why, optional: true };
}

export const JOB_OF_BACKUP = inNamespace(
  'batch',
  'jobs',
  ['get'],
  "read the Job's UID and creation time: the id of the backup comes from them",
);

export const MAKE_LEASE = inNamespace(
  'coordination.k8s.io',
  'leases',
  ['create'],
  'make the Lease that keeps two backups of one database apart',
);

export const HOLD_LEASE = inNamespace(
  'coordination.k8s.io',
  'leases',
  ['get', 'update'],
  'take, renew and give back that Lease',
);

export const SAY_EVENTS = inNamespace('', 'events', ['create'], 'say on the Job what happens');

export const KEEP_RECORDS: AccessNeed = {
  scope: 'registry',
  apiGroup: '',
  resource: 'configmaps',
  verbs: ['create', 'get', 'list', 'update'],
  // RBAC cannot tell one's own records from others': src/record-guard.ts does.
  why: 'keep the record of each backup, under names that are not known beforehand: the admission policy of the registry keeps it to its own namespace',
};

export function knowCluster(registryNamespace: string): AccessNeed {
  return {
    ...inCluster(
      '',
      'namespaces',
      ['get'],
      'record which cluster this is, and tell a missing registry from a missing right',
    ),
    names: ['kube-system', registryNamespace],
  };
}

export const ASK_PRUNER: AccessNeed = {
  scope: 'registry',
  apiGroup: 'apps',
  resource: 'deployments/scale',
  verbs: ['patch'],
  names: [PRUNER_NAME],
  optional: true,
  why: 'ask for a prune when a backup has ended: it starts the pruner, and can have nothing done that the pruner would not do by itself',
};

/** To take turns at the snapshot controller. Without it everything goes on, and others are in its way. */
export function slotAccess(count: number, why: string): AccessNeed {
  return {
    scope: 'registry',
    apiGroup: 'coordination.k8s.io',
    resource: 'leases',
    verbs: ['get', 'list', 'watch', 'update'],
    names: slotNames(count),
    why,
  };
}
