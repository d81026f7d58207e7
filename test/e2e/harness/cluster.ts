/** The cluster that KUBECONFIG names, through the official client: the tests look at it with other eyes than the runner. */
import {
  ApiException,
  CoreV1Api,
  type CoreV1Event,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  KubernetesObjectApi,
  PatchStrategy,
} from '@kubernetes/client-node';

/** Any object, with whatever its kind has. */
// biome-ignore lint/suspicious/noExplicitAny: tests read fields of many kinds, some of which have no types
export type Anything = KubernetesObject & Record<string, any>;

/** What names a kind. */
export interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
}

export const KINDS = {
  namespace: { apiVersion: 'v1', kind: 'Namespace' },
  pod: { apiVersion: 'v1', kind: 'Pod' },
  secret: { apiVersion: 'v1', kind: 'Secret' },
  configMap: { apiVersion: 'v1', kind: 'ConfigMap' },
  claim: { apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
  volume: { apiVersion: 'v1', kind: 'PersistentVolume' },
  job: { apiVersion: 'batch/v1', kind: 'Job' },
  cronJob: { apiVersion: 'batch/v1', kind: 'CronJob' },
  deployment: { apiVersion: 'apps/v1', kind: 'Deployment' },
  serviceAccount: { apiVersion: 'v1', kind: 'ServiceAccount' },
  statefulSet: { apiVersion: 'apps/v1', kind: 'StatefulSet' },
  clusterRole: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' },
  clusterRoleBinding: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding' },
  admissionPolicy: { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy' },
  admissionPolicyBinding: { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicyBinding' },
  lease: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
  snapshot: { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshot' },
  snapshotClass: { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotClass' },
  snapshotContent: { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotContent' },
  groupSnapshotClass: { apiVersion: 'groupsnapshot.storage.k8s.io/v1', kind: 'VolumeGroupSnapshotClass' },
  groupSnapshot: { apiVersion: 'groupsnapshot.storage.k8s.io/v1', kind: 'VolumeGroupSnapshot' },
  groupSnapshotContent: { apiVersion: 'groupsnapshot.storage.k8s.io/v1', kind: 'VolumeGroupSnapshotContent' },
} as const satisfies Record<string, Kind>;

const FIELD_MANAGER = 'stillpoint-e2e';

let connection: { readonly core: CoreV1Api; readonly objects: KubernetesObjectApi } | undefined;

function connected(): NonNullable<typeof connection> {
  if (connection === undefined) {
    const config = new KubeConfig();
    config.loadFromDefault();
    connection = { core: config.makeApiClient(CoreV1Api), objects: KubernetesObjectApi.makeApiClient(config) };
  }
  return connection;
}

/** The typed client of the core API, for what {@link read} and its siblings do not have (logs). */
export function core(): CoreV1Api {
  return connected().core;
}

/** Makes or changes objects, as `kubectl apply --server-side` does. */
export async function apply(objects: readonly KubernetesObject[]): Promise<void> {
  for (const object of objects) {
    await connected().objects.patch(object, undefined, undefined, FIELD_MANAGER, true, PatchStrategy.ServerSideApply);
  }
}

/** Makes an object, and returns it as the API server has it. */
export async function create(object: KubernetesObject): Promise<Anything> {
  return await connected().objects.create(object);
}

/** Reads an object; undefined when it is not there. */
export async function read(kind: Kind, name: string, namespace = ''): Promise<Anything | undefined> {
  try {
    return await connected().objects.read<Anything>({ ...kind, metadata: { name, namespace } });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Lists objects, in all namespaces when none is given. */
export async function list(kind: Kind, namespace?: string, labelSelector?: string): Promise<readonly Anything[]> {
  const found: KubernetesListObject<Anything> = await connected().objects.list<Anything>(
    kind.apiVersion,
    kind.kind,
    namespace,
    undefined,
    undefined,
    undefined,
    undefined,
    labelSelector,
  );
  return found.items;
}

/** Changes fields of an object, if it is there, by a JSON merge patch: null removes a field. */
export async function patch(kind: Kind, name: string, namespace: string, change: object): Promise<void> {
  const object = {
    ...change,
    ...kind,
    metadata: { ...('metadata' in change ? (change.metadata as object) : {}), name, namespace },
  };
  try {
    await connected().objects.patch(object, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Deletes an object, if it is there; what it owns goes with it. `All`: only asks whether that would be let. */
export async function remove(
  kind: Kind,
  name: string,
  namespace = '',
  graceSeconds?: number,
  dryRun?: 'All',
): Promise<void> {
  try {
    await connected().objects.delete(
      { ...kind, metadata: { name, namespace } },
      undefined,
      dryRun,
      graceSeconds,
      undefined,
      'Background',
    );
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** The Events on an object, oldest first, as `Normal Starting: Backup … running`. */
export async function eventsOn(kind: Kind, name: string, namespace: string): Promise<readonly string[]> {
  const { items } = await core().listNamespacedEvent({
    namespace,
    fieldSelector: `involvedObject.kind=${kind.kind},involvedObject.name=${name}`,
  });
  const at = (event: CoreV1Event): number => (event.metadata.creationTimestamp ?? new Date(0)).getTime();
  return items.sort((a, b) => at(a) - at(b)).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
}

function isNotFound(error: unknown): boolean {
  return error instanceof ApiException && error.code === 404;
}
