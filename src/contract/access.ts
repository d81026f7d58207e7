import { GROUP_SNAPSHOT_GROUP, SNAPSHOT_GROUP } from './api-groups';
import { membersOf, type PolicyConfig } from './job-config';
import { DEFAULT_REGISTRY_NAMESPACE, guardLeaseName, leaseName, slotNames, statefulSetClaimName } from './names';

/**
 * What the accounts may do, and why: the constructs make Roles of it, the runner asks the API server for each before
 * it touches anything, and the documentation lists it. Nothing else grants a right.
 */

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

/** What of a policy decides on the rights that its backups need. */
export interface AccessRequest {
  /** The claims that are named one by one. */
  readonly claims: readonly string[];
  /** Whether some are found by label. */
  readonly byLabel: boolean;
  /** Whether some are found from the server's pod, whose name is not known beforehand either. */
  readonly byPod: boolean;
  /** Empty: the cluster's default class is looked for. */
  readonly snapshotClasses: readonly string[];
  readonly groupClasses: readonly string[];
  /** Whether single snapshots are cut without waiting for the snapshot controller. */
  readonly directCut: boolean;
  /** How many Leases there are for turns at the snapshot controller. */
  readonly slots: number;
  readonly lease: string;
  /** The Lease on which runner and guard meet; left out where the policy has no guard. */
  readonly guardLease?: string | undefined;
  readonly registryNamespace: string;
  /** Whether rights on classes, contents and volumes are given: they are cluster-wide. */
  readonly clusterScope: boolean;
}

/** What a job config says of the rights that its backups need. */
export function accessRequestOf(config: PolicyConfig): AccessRequest {
  const { snapshots, database, registry, clusterScope, guarded } = config.spec;
  const volumes = membersOf(config).flatMap((member) => member.config.volumes);
  return {
    claims: volumes.flatMap(
      ({ claim, statefulSet }) => claim ?? (statefulSet && statefulSetClaimName(statefulSet)) ?? [],
    ),
    byLabel: volumes.some(({ matchLabels }) => matchLabels !== undefined),
    byPod: volumes.some(({ podVolume }) => podVolume !== undefined),
    snapshotClasses: snapshots.className === undefined ? [] : [snapshots.className],
    groupClasses: snapshots.groupClassName === undefined ? [] : [snapshots.groupClassName],
    directCut: snapshots.direct ?? false,
    slots: snapshots.slots ?? 0,
    lease: leaseName(database),
    guardLease: guarded === true ? guardLeaseName(database) : undefined,
    registryNamespace: registry.namespace ?? DEFAULT_REGISTRY_NAMESPACE,
    clusterScope: clusterScope ?? true,
  };
}

/** The rights of the account that takes the backups of one policy. */
export function backupAccess(request: AccessRequest): readonly AccessNeed[] {
  return [
    ...databaseAccess(request),
    {
      scope: 'registry',
      apiGroup: '',
      resource: 'configmaps',
      verbs: ['create', 'get', 'list', 'update'],
      // RBAC cannot tell one's own records from others': src/record-guard.ts does.
      why: 'keep the record of each backup, under names that are not known beforehand: the admission policy of the registry keeps it to its own namespace',
    },
    ...(request.slots === 0 ? [] : [slotAccess(request.slots)]),
    ...wideAccess(request),
  ];
}

function slotAccess(count: number): AccessNeed {
  return {
    scope: 'registry',
    apiGroup: 'coordination.k8s.io',
    resource: 'leases',
    verbs: ['get', 'list', 'watch', 'update'],
    names: slotNames(count),
    optional: true,
    why: 'wait for a turn at the snapshot controller before the freeze, instead of under it',
  };
}

function wideAccess(request: AccessRequest): AccessNeed[] {
  const direct = request.directCut ? directAccess(request) : [];
  const looks = request.clusterScope ? clusterAccess(request) : [];
  return [...looks.filter((look) => !direct.some(({ resource }) => resource === look.resource)), ...direct];
}

/** What a direct cut cannot do without. */
function directAccess({ snapshotClasses }: AccessRequest): AccessNeed[] {
  const needed = (apiGroup: string, resource: string, verbs: readonly string[], why: string): AccessNeed => ({
    scope: 'cluster',
    apiGroup,
    resource,
    verbs,
    why,
  });
  return [
    {
      ...needed(SNAPSHOT_GROUP, 'volumesnapshotclasses', ['get'], 'know what a direct cut has to be asked for with'),
      names: snapshotClasses,
    },
    needed(
      SNAPSHOT_GROUP,
      'volumesnapshotcontents',
      ['create', 'get', 'list', 'watch'],
      // RBAC cannot tell whose volume a content names: src/content-guard.ts does what can be done.
      'ask the storage for a direct cut and see it; a content can name any volume and any snapshot of a driver',
    ),
    needed('', 'persistentvolumes', ['get'], 'know the handle of a volume that is cut directly'),
  ];
}

function databaseAccess(request: AccessRequest): AccessNeed[] {
  const inNamespace = (apiGroup: string, resource: string, verbs: readonly string[], why: string): AccessNeed => ({
    scope: 'database',
    apiGroup,
    resource,
    verbs,
    why,
  });
  return [
    inNamespace(
      '',
      'pods',
      ['get', 'list'],
      'trace the server that answers to its pod, and read the claims that it mounts',
    ),
    request.byLabel || request.groupClasses.length > 0
      ? inNamespace(
          '',
          'persistentvolumeclaims',
          ['get', 'list'],
          'find the claims that carry the labels of the policy or of a group snapshot',
        )
      : request.byPod
        ? inNamespace('', 'persistentvolumeclaims', ['get'], "read the claims of the server's pod, whichever that is")
        : {
            ...inNamespace('', 'persistentvolumeclaims', ['get'], 'read the claims of the policy'),
            names: request.claims,
          },
    inNamespace('apps', 'statefulsets', ['get'], 'keep the spec that a restore needs when the original is gone'),
    inNamespace('apps', 'replicasets', ['get'], 'find the Deployment of a pod that has one'),
    inNamespace('apps', 'deployments', ['get'], 'keep the spec that a restore needs when the original is gone'),
    inNamespace('batch', 'jobs', ['get'], "read the Job's UID and creation time: the id of the backup comes from them"),
    inNamespace(
      SNAPSHOT_GROUP,
      'volumesnapshots',
      ['create', 'delete', 'get', 'list', 'patch', 'watch'],
      'ask for the snapshots, see every cut, write on them where the log stood, remove those of a backup that failed',
    ),
    ...(request.groupClasses.length === 0
      ? []
      : [
          inNamespace(
            GROUP_SNAPSHOT_GROUP,
            'volumegroupsnapshots',
            ['create', 'delete', 'get', 'list', 'watch'],
            'ask for the group snapshot, see its cut, remove that of a backup that failed',
          ),
        ]),
    inNamespace(
      'coordination.k8s.io',
      'leases',
      ['create'],
      'make the Lease that keeps two backups of one database apart',
    ),
    {
      ...inNamespace('coordination.k8s.io', 'leases', ['get', 'update'], 'take, renew and give back that Lease'),
      names: [request.lease],
    },
    ...(request.guardLease === undefined
      ? []
      : [
          {
            ...inNamespace(
              'coordination.k8s.io',
              'leases',
              ['get', 'list', 'watch', 'update'],
              "give the guard its order and take its answer, and see at once when either changes: the guard has the runner's account",
            ),
            names: [request.guardLease],
          },
        ]),
    inNamespace('', 'events', ['create'], 'say on the Job what happens'),
  ];
}

function clusterAccess(request: AccessRequest): AccessNeed[] {
  const inCluster = (apiGroup: string, resource: string, verbs: readonly string[], why: string): AccessNeed => ({
    scope: 'cluster',
    apiGroup,
    resource,
    verbs,
    why,
    optional: true,
  });
  const classes = (apiGroup: string, resource: string, names: readonly string[]): AccessNeed[] =>
    names.length === 0
      ? []
      : [{ ...inCluster(apiGroup, resource, ['get'], 'compare its driver with that of the volumes'), names }];
  return [
    ...(request.snapshotClasses.length === 0
      ? [
          inCluster(
            SNAPSHOT_GROUP,
            'volumesnapshotclasses',
            ['list'],
            "find the cluster's default class for the driver",
          ),
        ]
      : classes(SNAPSHOT_GROUP, 'volumesnapshotclasses', request.snapshotClasses)),
    ...classes(GROUP_SNAPSHOT_GROUP, 'volumegroupsnapshotclasses', request.groupClasses),
    inCluster(
      SNAPSHOT_GROUP,
      'volumesnapshotcontents',
      ['get', 'list', 'watch'],
      'see the cut as soon as the storage has made it, and record its handle',
    ),
    ...(request.groupClasses.length === 0
      ? []
      : [
          inCluster(
            GROUP_SNAPSHOT_GROUP,
            'volumegroupsnapshotcontents',
            ['get', 'list', 'watch'],
            'see that a group was cut of the claims of the policy, and of no others',
          ),
        ]),
    inCluster('', 'persistentvolumes', ['get'], 'know the driver and the handle of a volume before it is cut'),
    {
      ...inCluster(
        '',
        'namespaces',
        ['get'],
        'record which cluster this is, and tell a missing registry from a missing right',
      ),
      names: ['kube-system', request.registryNamespace],
    },
  ];
}
