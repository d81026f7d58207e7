/** The pods of a restore: one that prepares the files, one with a throw-away server. Pure: a plan in, manifests out. */
import { restoreNames } from '../../../src/contract';
import type { PreparedFiles, ServerCommand } from '../../engine';
import type { RestorePlan } from '../../restore/plan';
import { type Opening, SOCKET_DIRECTORY } from '../../restore/site';
import type { Container, Job, Pod, PodSpec, PodVolume, VolumeMount, Workload } from '../objects';
import { RECORD_KEY } from './journal';
import { ownLabels } from './labels';

/** The container of the runner that prepares the files. */
export const PREPARE_CONTAINER = 'prepare';
/** The container of the throw-away server. */
export const SERVER_CONTAINER = 'server';
/** The container of the runner that looks at it. */
export const INSPECT_CONTAINER = 'inspect';

const RECORD_FOLDER = '/etc/stillpoint/restore';
const RECORD_FILE = `${RECORD_FOLDER}/${RECORD_KEY}`;
const SCRIPTS_FOLDER = '/etc/stillpoint/scripts';
const LOGIN_FOLDER = '/etc/stillpoint/login';
/** The key of the password in the Secret of a clone. */
export const PASSWORD_KEY = 'password';
const TERMINATION_LOG = '/dev/termination-log';
const RUNNER_RESOURCES = { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } };

/** The Job that prepares the files: it needs the volumes and the record, and nothing of the API. */
export function prepareJob(plan: RestorePlan): Omit<Job, 'apiVersion' | 'kind'> {
  return jobOf(plan, restoreNames(plan.name).prepare, plan.inPlace === true ? ['--in-place'] : []);
}

/** The Job that lets the files of a copy back into the original's world. */
export function attachJob(plan: RestorePlan): Omit<Job, 'apiVersion' | 'kind'> {
  return jobOf(plan, restoreNames(plan.name).attach, ['--attach']);
}

function jobOf(plan: RestorePlan, name: string, more: readonly string[]): Omit<Job, 'apiVersion' | 'kind'> {
  const labels = ownLabels(plan);
  return {
    metadata: { name, namespace: plan.namespace, labels },
    spec: {
      // A failure is told at once, with its reason; only a pod that the cluster itself has taken away is replaced.
      backoffLimit: 0,
      podFailurePolicy: {
        rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
      },
      template: { metadata: { labels }, spec: preparePod(plan, more) },
    },
  };
}

/** The pod of such a Job. */
export function preparePod(plan: RestorePlan, more: readonly string[] = []): PodSpec {
  const owner = recordedOwner(plan);
  return {
    ...podBasics(plan),
    securityContext: {
      ...(owner === undefined
        ? { runAsNonRoot: false, runAsUser: 0, runAsGroup: 0 }
        : { runAsNonRoot: true, runAsUser: owner.uid, ...(owner.gid === undefined ? {} : { runAsGroup: owner.gid }) }),
      ...recordedAccess(plan),
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        ...runnerContainer(plan, PREPARE_CONTAINER, [
          'prepare',
          ...more,
          ...['--record-file', RECORD_FILE],
          ...plan.volumes.flatMap(({ name, mountPath }) => ['--volume', `${name}=${mountPath}`]),
          ...['--result', TERMINATION_LOG],
        ]),
        // The owner of the files is unknown where the image steps down from root by itself (as postgres does): then
        // root, with just what it takes to read, write and hand over files of somebody else's.
        securityContext: containerSecurity(owner === undefined ? ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'] : []),
        volumeMounts: [recordMount, ...dataMounts(plan)],
      },
    ],
    volumes: [recordVolume(plan), ...dataVolumes(plan)],
  };
}

/** The pod of the throw-away server, with the one who looks at it beside it. */
export function serverPod(
  plan: RestorePlan,
  prepared: PreparedFiles,
  server: ServerCommand,
  about: Opening & { readonly inspectSeconds: number },
): Omit<Pod, 'apiVersion' | 'kind'> {
  const image = serverImage(plan);
  const socketMount: VolumeMount = { name: 'socket', mountPath: SOCKET_DIRECTORY };
  const resources = recordedServer(plan)?.resources;
  return {
    metadata: { name: restoreNames(plan.name).server, namespace: plan.namespace, labels: ownLabels(plan) },
    spec: {
      ...podBasics(plan),
      securityContext: {
        runAsNonRoot: prepared.uid !== 0,
        runAsUser: prepared.uid,
        runAsGroup: prepared.gid,
        ...recordedAccess(plan),
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: SERVER_CONTAINER,
          ...(image === undefined ? {} : { image }),
          command: server.command,
          ...(resources === undefined ? {} : { resources }),
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [socketMount, ...dataMounts(plan)],
        },
        {
          ...runnerContainer(plan, INSPECT_CONTAINER, [
            'inspect',
            ...['--record-file', RECORD_FILE],
            ...['--socket', SOCKET_DIRECTORY],
            ...['--timeout', `${about.inspectSeconds}s`],
            ...(about.scripts === undefined ? [] : ['--scripts', SCRIPTS_FOLDER]),
            ...(about.login === undefined ? [] : ['--password-file', `${LOGIN_FOLDER}/${PASSWORD_KEY}`]),
            ...['--result', TERMINATION_LOG],
          ]),
          securityContext: containerSecurity([]),
          volumeMounts: [
            recordMount,
            socketMount,
            ...(about.scripts === undefined ? [] : [{ name: 'scripts', mountPath: SCRIPTS_FOLDER, readOnly: true }]),
            ...(about.login === undefined ? [] : [{ name: 'login', mountPath: LOGIN_FOLDER, readOnly: true }]),
          ],
        },
      ],
      volumes: [
        recordVolume(plan),
        { name: 'socket', emptyDir: {} },
        ...dataVolumes(plan),
        ...(about.scripts === undefined
          ? []
          : [{ name: 'scripts', configMap: { name: about.scripts, defaultMode: 0o444 } }]),
        // Readable for the user that the server runs as, who is known only now; nobody else is in this pod.
        ...(about.login === undefined
          ? []
          : [{ name: 'login', secret: { secretName: about.login, defaultMode: 0o444 } }]),
      ],
    },
  };
}

/** The image of the original's server; undefined when the record does not know it. */
export function serverImage({ record }: RestorePlan): string | undefined {
  return record.workload?.image;
}

export function podBasics(plan: RestorePlan): Pick<PodSpec, string> {
  const { nodeSelector, tolerations, imagePullSecrets }: Readonly<Record<string, unknown>> = recordedPod(plan) ?? {};
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    // Where the original could run, the copy can too; and its volumes are made near the node that first mounts them.
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations }),
    ...(imagePullSecrets === undefined ? {} : { imagePullSecrets }),
  };
}

function runnerContainer(plan: RestorePlan, name: string, args: readonly string[]): Container {
  return {
    name,
    ...(plan.image === undefined ? {} : { image: plan.image }),
    args,
    resources: RUNNER_RESOURCES,
    terminationMessagePath: TERMINATION_LOG,
    // The outcome, or the end of the log where the runner did not come to write one.
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

function containerSecurity(add: readonly string[]): Readonly<Record<string, unknown>> {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], ...(add.length === 0 ? {} : { add }) },
  };
}

const recordMount: VolumeMount = { name: 'record', mountPath: RECORD_FOLDER, readOnly: true };

function recordVolume({ name }: RestorePlan): PodVolume {
  return { name: 'record', configMap: { name: restoreNames(name).journal, defaultMode: 0o444 } };
}

/** Each volume where the original had it, so that absolute links between them (pg_wal → /wal) lead somewhere. */
export function dataMounts({ volumes }: RestorePlan): VolumeMount[] {
  return volumes.map(({ mountPath, subPath }, index) => ({
    name: `volume-${index}`,
    mountPath,
    ...(subPath === undefined ? {} : { subPath }),
  }));
}

export function dataVolumes({ volumes }: RestorePlan): PodVolume[] {
  return volumes.map(({ claim }, index) => ({ name: `volume-${index}`, persistentVolumeClaim: { claimName: claim } }));
}

/** The user that the server ran as, where the manifests said so; undefined for root, which steps down by itself. */
function recordedOwner({ record }: RestorePlan): { readonly uid: number; readonly gid?: number } | undefined {
  const said = { ...record.workload?.podSecurity, ...record.workload?.containerSecurity };
  const { runAsUser: uid, runAsGroup: gid } = said;
  if (typeof uid !== 'number' || uid === 0) return undefined;
  return typeof gid === 'number' ? { uid, gid } : { uid };
}

/**
 * Groups and SELinux options as the original had them. Its fsGroup becomes a group like the others: as an fsGroup,
 * Kubernetes would change the modes of all files, and PostgreSQL refuses a data directory that others may write to.
 */
export function recordedAccess({ record }: RestorePlan): Readonly<Record<string, unknown>> {
  const { fsGroup, supplementalGroups, seLinuxOptions } = record.workload?.podSecurity ?? {};
  const groups = [
    ...(typeof fsGroup === 'number' ? [fsGroup] : []),
    ...(Array.isArray(supplementalGroups) ? (supplementalGroups as unknown[]) : []),
  ];
  return {
    ...(groups.length === 0 ? {} : { supplementalGroups: groups }),
    ...(seLinuxOptions === undefined ? {} : { seLinuxOptions }),
  };
}

function recordedPod({ record }: RestorePlan): PodSpec | undefined {
  return (record.workload?.spec as Workload['spec'] | undefined)?.template?.spec;
}

export function recordedServer(plan: RestorePlan): Container | undefined {
  return recordedPod(plan)?.containers.find(({ image }) => image === serverImage(plan));
}
