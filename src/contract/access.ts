import {
  type AccessNeed,
  ASK_PRUNER,
  HOLD_LEASE,
  inCluster,
  inNamespace,
  JOB_OF_BACKUP,
  KEEP_RECORDS,
  knowCluster,
  MAKE_LEASE,
  SAY_EVENTS,
  slotAccess,
} from './access-needs';
import { copyAccess } from './access-of-copies';
import { dumpAccess } from './access-of-dumps';
import { resourceAccess } from './access-of-resources';
import { type OutsideRequest, outsideAccess } from './access-outside';
import { GROUP_SNAPSHOT_GROUP, SNAPSHOT_GROUP } from './api-groups';
import { placeOfHook } from './hooks';
import { type DatabaseResource, membersOf, type SnapshotConfig } from './job-config';
import { DEFAULT_REGISTRY_NAMESPACE, guardLeaseName, leaseName, statefulSetClaimName } from './names';
import { isCopy, isDump, type PolicyConfig } from './policy-config';

/**
 * What the accounts may do, and why: the constructs make Roles of it, the runner asks the API server for each before
 * it touches anything, and the documentation lists it. Nothing else grants a right.
 */

/** What of a policy decides on the rights that its backups need. */
export interface AccessRequest extends OutsideRequest {
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
  /** Whether the pruner is asked for a prune after each backup. */
  readonly prune?: boolean | undefined;
  /** The Lease on which runner and guard meet; left out where the policy has no guard. */
  readonly guardLease?: string | undefined;
  /** The custom resources that are kept with the backups. */
  readonly resources?: readonly DatabaseResource[] | undefined;
  readonly registryNamespace: string;
  /** Whether rights on classes, contents and volumes are given: they are cluster-wide. */
  readonly clusterScope: boolean;
}

/** The rights of the account that takes the backups of a policy. */
export function accessOf(config: PolicyConfig): readonly AccessNeed[] {
  if (isCopy(config)) return copyAccess(config);
  return isDump(config) ? dumpAccess(config) : backupAccess(accessRequestOf(config));
}

/** What a job config says of the rights that its backups need. */
export function accessRequestOf(config: SnapshotConfig): AccessRequest {
  const { snapshots, database, registry, clusterScope, guarded, prune } = config.spec;
  const members = membersOf(config).map((member) => member.config);
  const volumes = members.flatMap((member) => member.volumes);
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
    prune,
    guardLease: guarded === true ? guardLeaseName(database) : undefined,
    commandsIn: members.flatMap(({ hooks = [] }) => hooks.flatMap((hook) => placeOfHook(hook) ?? [])),
    resources: members.flatMap(({ resource }) => resource ?? []),
    stopped: members.flatMap(({ offline }) => offline ?? []),
    registryNamespace: registry.namespace ?? DEFAULT_REGISTRY_NAMESPACE,
    clusterScope: clusterScope ?? true,
  };
}

/** The rights of the account that takes the snapshots of one policy. */
export function backupAccess(request: AccessRequest): readonly AccessNeed[] {
  return [
    ...databaseAccess(request),
    ...outsideAccess(request),
    ...resourceAccess(request.resources ?? []),
    KEEP_RECORDS,
    ...(request.slots === 0 ? [] : [turnAccess(request.slots)]),
    ...(request.prune === true ? [ASK_PRUNER] : []),
    ...wideAccess(request),
  ];
}

function turnAccess(slots: number): AccessNeed {
  const why = 'wait for a turn at the snapshot controller before the freeze, instead of under it';
  return { ...slotAccess(slots, why), optional: true };
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
    JOB_OF_BACKUP,
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
    MAKE_LEASE,
    { ...HOLD_LEASE, names: [request.lease] },
    {
      ...inNamespace(
        'coordination.k8s.io',
        'leases',
        ['get'],
        'see whether a backup of the same server is still at work that a person takes in a process of their own',
      ),
      optional: true,
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
    SAY_EVENTS,
  ];
}

function clusterAccess(request: AccessRequest): AccessNeed[] {
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
    knowCluster(request.registryNamespace),
  ];
}
