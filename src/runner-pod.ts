import { type ContainerResources, type ImagePullPolicy, type ISecret, k8s } from 'cdk8s-plus-28';
import { INSTALL_CONTAINER } from './contract';
import { DEFAULT_IMAGE } from './image';
import { templateMetadata } from './objects';
import { DEFAULT_RESOURCES, given, resourceRequirements, TOOL_RESOURCES } from './resources';

/** How a pod of the runner is made: the same for backups, the pruner and the preparation of restored claims. */
export interface RunnerPodProps {
  /**
   * The runner's image. A digest (`…@sha256:…`) fixes what runs.
   *
   * @default - `stillpoint:<version>`, of the same version as the constructs
   */
  readonly image?: string;

  /**
   * When the image is pulled.
   *
   * @default ImagePullPolicy.IF_NOT_PRESENT
   */
  readonly imagePullPolicy?: ImagePullPolicy;

  /**
   * The Secrets that the image is pulled with.
   *
   * @default - none but those of the namespace
   */
  readonly imagePullSecrets?: ISecret[];

  /**
   * What the runner asks of its node, and may use of it.
   *
   * @default - requests 50 millicores and 64 MiB; limited to 256 MiB, and not in CPU: a throttled runner thaws late. Where an engine's tool runs beside it, 100 millicores and 128 MiB, limited to 512 MiB
   */
  readonly resources?: ContainerResources;

  /**
   * Labels that a node must have.
   *
   * @default - any node
   */
  readonly nodeSelector?: { [key: string]: string };

  /**
   * Taints of nodes that the pod bears.
   *
   * @default - none
   */
  readonly tolerations?: k8s.Toleration[];

  /**
   * The pod's priority class. A backup that is preempted has to begin again.
   *
   * @default - the cluster's default
   */
  readonly priorityClassName?: string;

  /**
   * Labels for everything that the construct makes, pods included.
   *
   * @default - none but Stillpoint's own
   */
  readonly labels?: { [key: string]: string };

  /**
   * Annotations for everything that the construct makes, pods included.
   *
   * @default - none
   */
  readonly annotations?: { [key: string]: string };
}

/**
 * What one kind of pod has of its own.
 *
 * @internal
 */
export interface RunnerPod {
  readonly args: readonly string[];
  readonly accountName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly volumes?: readonly MountedVolume[];
  readonly security?: RunnerSecurity;
  /** Pods with these labels are on other nodes, where there is another node. */
  readonly apartFrom?: Readonly<Record<string, string>>;
  /** The image that the runner works in for the tools that are there; its own where there is none. */
  readonly serverImage?: string;
  /** What it takes unless it was told; what every pod of its kind takes where that is left out. */
  readonly resources?: ContainerResources;
}

/** @internal */
export interface MountedVolume {
  readonly volume: k8s.Volume;
  readonly path: string;
  /** The folder of the volume that is mounted; the whole where there is none. */
  readonly subPath?: string;
  /** Everything is mounted read-only but the volumes that a restore prepares. */
  readonly writable?: boolean;
}

/** @internal */
export interface RunnerSecurity {
  readonly user: number;
  readonly group: number;
  /** The group that mounted Secrets belong to; left out where mounted files must keep their owners. */
  readonly fsGroup?: number;
  readonly capabilities?: readonly string[];
}

/** The user `nonroot` of distroless images. */
const NONROOT = 65532;

/** The name of the runner's container: the Job's failure policy names it. */
export const RUNNER_CONTAINER = 'runner';

/**
 * On SIGTERM the runner lets the database go at once, then removes what it has asked for. A storage that is in the middle
 * of a cut is waited for, a minute at most, and so is the removal: only then does nothing stay behind.
 */
const TERMINATION_GRACE_SECONDS = 150;

/** The mode of mounted Secrets: readable for the owner and, by fsGroup, for the runner. */
export const SECRET_FILE_MODE = 0o440;

/**
 * Where the runner lies in its own image, and at the same path in any other that it is brought into: there V8 finds what it
 * has compiled already.
 */
const APP = '/app';

/** Where the runner's image finds the volume that it copies itself to. */
const INSTALL_PATH = '/install';

/** As the entrypoint of the runner's image: with a loader and libraries of its own, whatever the image has. */
const COMMAND = [
  `${APP}/lib/ld.so`,
  '--library-path',
  `${APP}/lib`,
  `${APP}/bin/node`,
  '--max-semi-space-size=1',
  `${APP}/stillpoint.mjs`,
];

/** The variables that the runner's image sets, and another does not. */
const VARIABLES = [
  { name: 'NODE_COMPILE_CACHE', value: `${APP}/cache` },
  { name: 'HOME', value: '/tmp' },
];

/**
 * The template of a runner's pod, within the Pod Security Standard `restricted` unless capabilities are asked for.
 *
 * @internal
 */
export function runnerPod(props: RunnerPodProps, pod: RunnerPod): k8s.PodTemplateSpec {
  const security = pod.security ?? { user: NONROOT, group: NONROOT, fsGroup: NONROOT };
  return {
    metadata: templateMetadata(pod.labels, props.annotations),
    spec: {
      restartPolicy: 'Never',
      serviceAccountName: pod.accountName,
      automountServiceAccountToken: true,
      // Environment variables for each Service of the namespace help nobody here.
      enableServiceLinks: false,
      terminationGracePeriodSeconds: TERMINATION_GRACE_SECONDS,
      ...given('affinity', pod.apartFrom && apart(pod.apartFrom)),
      ...given('nodeSelector', props.nodeSelector),
      ...given('tolerations', props.tolerations),
      ...given('priorityClassName', props.priorityClassName),
      ...given(
        'imagePullSecrets',
        props.imagePullSecrets?.map(({ name }) => ({ name })),
      ),
      securityContext: podSecurity(security),
      ...(pod.serverImage === undefined ? {} : { initContainers: [install(props, security)] }),
      containers: [container(props, pod, security)],
      volumes: volumesOf(pod).map(({ volume }) => volume),
    },
  };
}

/** Brings the runner into a volume: Node with its libraries, and the program. */
function install(props: RunnerPodProps, security: RunnerSecurity): k8s.Container {
  return {
    ...ownImage(props),
    name: INSTALL_CONTAINER,
    args: ['install', INSTALL_PATH],
    resources: resourceRequirements(props.resources ?? DEFAULT_RESOURCES),
    securityContext: containerSecurity(security),
    volumeMounts: [{ name: RUNNER_VOLUME, mountPath: INSTALL_PATH }],
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

const RUNNER_VOLUME = 'runner';

function volumesOf({ volumes = [], serverImage }: RunnerPod): readonly MountedVolume[] {
  if (serverImage === undefined) return volumes;
  return [
    { volume: { name: RUNNER_VOLUME, emptyDir: {} }, path: APP },
    // Small files for a tool alone, as certificates: never on a disk.
    { volume: { name: 'tmp', emptyDir: { medium: 'Memory' } }, path: '/tmp', writable: true },
    ...volumes,
  ];
}

function ownImage({ image, imagePullPolicy }: RunnerPodProps): Pick<k8s.Container, 'image' | 'imagePullPolicy'> {
  return { image: image ?? DEFAULT_IMAGE, imagePullPolicy: imagePullPolicy ?? 'IfNotPresent' };
}

function container(props: RunnerPodProps, pod: RunnerPod, security: RunnerSecurity): k8s.Container {
  return {
    name: RUNNER_CONTAINER,
    ...(pod.serverImage === undefined
      ? ownImage(props)
      : { image: pod.serverImage, imagePullPolicy: props.imagePullPolicy ?? 'IfNotPresent', command: [...COMMAND] }),
    args: [...pod.args],
    env: [
      // Names, no secrets: by its own pod the runner finds the Job that it works for.
      ...[fieldVariable('POD_NAME', 'metadata.name'), fieldVariable('POD_NAMESPACE', 'metadata.namespace')],
      ...(pod.serverImage === undefined ? [] : VARIABLES),
    ],
    resources: resourceRequirements(
      props.resources ?? pod.resources ?? (pod.serverImage === undefined ? DEFAULT_RESOURCES : TOOL_RESOURCES),
    ),
    securityContext: containerSecurity(security),
    volumeMounts: volumesOf(pod).map(({ volume, path, subPath, writable }) => ({
      name: volume.name,
      mountPath: path,
      ...given('subPath', subPath),
      readOnly: writable !== true,
    })),
    // The error's sentence and hint are the last that the log says: `kubectl describe pod` shows them.
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

function containerSecurity({ capabilities }: RunnerSecurity): k8s.SecurityContext {
  return {
    allowPrivilegeEscalation: false,
    privileged: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], ...(capabilities === undefined ? {} : { add: [...capabilities] }) },
  };
}

/** A preference, no demand: on a cluster of one node there are backups too. */
function apart(labels: Readonly<Record<string, string>>): k8s.Affinity {
  const podAffinityTerm = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { ...labels } } };
  return { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm }] } };
}

function podSecurity({ user, group, fsGroup }: RunnerSecurity): k8s.PodSecurityContext {
  return {
    runAsNonRoot: user !== 0,
    runAsUser: user,
    runAsGroup: group,
    ...given('fsGroup', fsGroup),
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

function fieldVariable(name: string, fieldPath: string): k8s.EnvVar {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}
