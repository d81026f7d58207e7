/** The fields of Kubernetes objects that are read or written here, as the API has them on the wire. */
import { type KubeObject, type ObjectMeta, resource } from './resource';

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export interface Namespace extends KubeObject {}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
}

export interface ClaimSpec {
  readonly accessModes?: readonly string[];
  readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
  readonly storageClassName?: string;
  readonly volumeMode?: string;
  readonly volumeName?: string;
  readonly [more: string]: unknown;
}

export interface Claim extends KubeObject {
  readonly spec: ClaimSpec;
  readonly status?: { readonly phase?: string; readonly capacity?: Readonly<Record<string, string>> };
}

export interface PersistentVolume extends KubeObject {
  readonly spec: {
    readonly csi?: { readonly driver: string; readonly volumeHandle: string };
    readonly capacity?: Readonly<Record<string, string>>;
    readonly persistentVolumeReclaimPolicy?: string;
    /** Without a uid the volume is reserved for the claim of that name. */
    readonly claimRef?: { readonly namespace?: string; readonly name?: string; readonly uid?: string };
    readonly storageClassName?: string;
    readonly volumeAttributesClassName?: string;
    readonly [more: string]: unknown;
  };
}

export interface StorageClass extends KubeObject {
  readonly provisioner: string;
  readonly volumeBindingMode?: string;
  readonly reclaimPolicy?: string;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly subPathExpr?: string;
  readonly readOnly?: boolean;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly containerPort: number; readonly name?: string; readonly protocol?: string }[];
  readonly volumeMounts?: readonly VolumeMount[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly livenessProbe?: ContainerProbe;
  readonly readinessProbe?: ContainerProbe;
  readonly [more: string]: unknown;
}

/** With the defaults that the API server fills in. */
export interface ContainerProbe {
  readonly exec?: object;
  readonly httpGet?: object;
  readonly grpc?: object;
  readonly tcpSocket?: object;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}

export interface PodVolume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean };
  /** A claim of the pod's own, named `<pod>-<volume>`. */
  readonly ephemeral?: object;
  readonly [more: string]: unknown;
}

export interface PodSpec {
  readonly nodeName?: string;
  readonly hostname?: string;
  readonly hostNetwork?: boolean;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly PodVolume[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly [more: string]: unknown;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
  /** How often it was started again. */
  readonly restartCount?: number;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: object;
    readonly terminated?: ContainerEnd;
  };
  /** Of a container that was started again: how it ended the time before. */
  readonly lastState?: { readonly terminated?: ContainerEnd };
}

export interface ContainerEnd {
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason?: string;
  readonly message?: string;
}

export interface Pod extends KubeObject {
  readonly spec: PodSpec;
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly Condition[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** A StatefulSet, a ReplicaSet or a Deployment. */
export interface Workload extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly template?: { readonly metadata?: Partial<ObjectMeta>; readonly spec: PodSpec };
    readonly volumeClaimTemplates?: readonly Claim[];
    readonly [more: string]: unknown;
  };
}

export interface Job extends KubeObject {
  readonly spec: {
    readonly template: {
      readonly metadata?: Partial<ObjectMeta>;
      readonly spec: { readonly containers: readonly object[]; readonly [more: string]: unknown };
    };
    readonly [more: string]: unknown;
  };
  readonly status?: {
    readonly succeeded?: number;
    /** Pods that run. */
    readonly ready?: number;
    /** Of an Indexed Job, as `0,3-5`. */
    readonly completedIndexes?: string;
    readonly failedIndexes?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  };
}

export interface CronJob extends KubeObject {
  readonly spec: {
    readonly schedule: string;
    readonly timeZone?: string;
    readonly suspend?: boolean;
    readonly jobTemplate: { readonly metadata?: Partial<ObjectMeta>; readonly spec: Job['spec'] };
    readonly [more: string]: unknown;
  };
  readonly status?: {
    readonly lastScheduleTime?: string;
    readonly lastSuccessfulTime?: string;
    readonly active?: readonly object[];
  };
}

export interface KubeLease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

export interface KubeEvent extends KubeObject {
  readonly involvedObject: Readonly<Record<string, string | undefined>>;
  readonly reason: string;
  readonly message: string;
  readonly type: string;
  readonly lastTimestamp?: string | null;
  readonly [more: string]: unknown;
}

/** Text as the data of a {@link Secret} has it. */
export function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

export interface Secret extends KubeObject {
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface Service extends KubeObject {
  readonly spec: {
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly name?: string; readonly port: number }[];
    readonly [more: string]: unknown;
  };
}

/** What selects pods as Kubernetes has it in policies: everything in it has to hold; an empty one selects all. */
export interface PodSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface NetworkPolicy extends KubeObject {
  readonly spec: {
    readonly podSelector?: PodSelector;
    readonly policyTypes?: readonly string[];
    readonly egress?: readonly object[];
    readonly ingress?: readonly object[];
  };
}

export interface DisruptionBudget extends KubeObject {
  readonly spec: { readonly selector?: PodSelector };
}

export const CONFIG_MAPS = resource<ConfigMap>()('', 'v1', 'ConfigMap', 'configmaps');
export const NAMESPACES = resource<Namespace>()('', 'v1', 'Namespace', 'namespaces', false);
export const CLAIMS = resource<Claim>()('', 'v1', 'PersistentVolumeClaim', 'persistentvolumeclaims');
export const VOLUMES = resource<PersistentVolume>()('', 'v1', 'PersistentVolume', 'persistentvolumes', false);
export const STORAGE_CLASSES = resource<StorageClass>()(
  'storage.k8s.io',
  'v1',
  'StorageClass',
  'storageclasses',
  false,
);
export const SECRETS = resource<Secret>()('', 'v1', 'Secret', 'secrets');
export const SERVICES = resource<Service>()('', 'v1', 'Service', 'services');
export const NETWORK_POLICIES = resource<NetworkPolicy>()(
  'networking.k8s.io',
  'v1',
  'NetworkPolicy',
  'networkpolicies',
);
export const DISRUPTION_BUDGETS = resource<DisruptionBudget>()(
  'policy',
  'v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
);
export const PODS = resource<Pod>()('', 'v1', 'Pod', 'pods');
export const EVENTS = resource<KubeEvent>()('', 'v1', 'Event', 'events');
export const STATEFUL_SETS = resource<Workload>()('apps', 'v1', 'StatefulSet', 'statefulsets');
export const REPLICA_SETS = resource<Workload>()('apps', 'v1', 'ReplicaSet', 'replicasets');
export const DEPLOYMENTS = resource<Workload>()('apps', 'v1', 'Deployment', 'deployments');
export const JOBS = resource<Job>()('batch', 'v1', 'Job', 'jobs');
export const CRON_JOBS = resource<CronJob>()('batch', 'v1', 'CronJob', 'cronjobs');
export const LEASES = resource<KubeLease>()('coordination.k8s.io', 'v1', 'Lease', 'leases');
