/** The server of a clone and what stands around it. Pure: a plan in, manifests out. */
import { cloneNames, LABELS } from '../../../src/contract';
import type { ClonePlan } from '../../clone/plan';
import type { CopyServer, PreparedFiles } from '../../engine';
import { SOCKET_DIRECTORY } from '../../restore/site';
import { base64, type NetworkPolicy, type PodSpec, type Secret, type Service, type Workload } from '../objects';
import {
  dataMounts,
  dataVolumes,
  PASSWORD_KEY,
  podBasics,
  recordedAccess,
  recordedServer,
  SERVER_CONTAINER,
  serverImage,
} from '../restore/pods';
import { cloneLabels, cloneSelector, seriesSelector } from './labels';

type New<T> = Omit<T, 'apiVersion' | 'kind'>;

/** Where the files of a server's command are mounted. */
export const FILES_DIRECTORY = '/etc/stillpoint/clone';

const GRACE_SECONDS = 60;

/** The login of the clone's administrator; the server's files come to it when the server is made. */
export function loginSecret(plan: ClonePlan, password: string): New<Secret> {
  return { metadata: metadata(plan, cloneNames(plan.name).login), data: { [PASSWORD_KEY]: base64(password) } };
}

/** What comes to the login when the command of the server is known. */
export function loginFiles({ files, username }: CopyServer): Pick<Secret, 'data'> {
  const entries = Object.entries(files).map(([name, text]) => [name, base64(text)] as const);
  return { data: { username: base64(username), ...Object.fromEntries(entries) } };
}

/** The password in a login. */
export function passwordIn({ data = {} }: Secret): string {
  return Buffer.from(data[PASSWORD_KEY] ?? '', 'base64').toString('utf8');
}

/** Within the cluster alone, and under a name of its own. */
export function serviceOf(plan: ClonePlan, { port }: Pick<CopyServer, 'port'>): New<Service> {
  return {
    metadata: metadata(plan, cloneNames(plan.name).service),
    spec: { selector: cloneSelector(plan.name), ports: [{ name: 'database', port }] },
  };
}

/** The name of a series: it leads to one clone after the other. */
export function seriesService(plan: ClonePlan & { readonly series: string }, port: number): New<Service> {
  const { series, name, restore } = plan;
  return {
    metadata: { name: series, namespace: restore.namespace, labels: seriesSelector(series) },
    spec: { selector: cloneSelector(name), ports: [{ name: 'database', port }] },
  };
}

/** No traffic out but for names; in from the same namespace. A second wall: the first is what the engine has prepared. */
export function networkPolicyOf(plan: ClonePlan): New<NetworkPolicy> {
  const dns = [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ];
  return {
    metadata: metadata(plan, cloneNames(plan.name).networkPolicy),
    spec: {
      podSelector: { matchLabels: cloneSelector(plan.name) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ podSelector: {} }] }],
      egress: [{ to: [{ namespaceSelector: {} }], ports: dns }],
    },
  };
}

/** One pod on the claims that were made. No claim templates: the claims go when the clone goes, and not before. */
export function statefulSetOf(plan: ClonePlan, prepared: PreparedFiles, server: CopyServer): New<Workload> {
  const { workload, service } = cloneNames(plan.name);
  return {
    metadata: metadata(plan, workload),
    spec: {
      replicas: 1,
      serviceName: service,
      selector: { matchLabels: cloneSelector(plan.name) },
      template: { metadata: { labels: podLabels(plan) }, spec: podOf(plan, prepared, server) },
    },
  };
}

/** The labels of a clone's pod. The name of its restore says that whoever uses the claims is nobody else. */
export function podLabels(plan: ClonePlan): Readonly<Record<string, string>> {
  return { ...cloneLabels(plan), [LABELS.restore]: plan.restore.name };
}

function podOf(plan: ClonePlan, prepared: PreparedFiles, { command, port }: CopyServer): PodSpec {
  const { restore } = plan;
  const image = serverImage(restore);
  const resources = recordedServer(restore)?.resources;
  return {
    ...podBasics(restore),
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: {
      runAsNonRoot: prepared.uid !== 0,
      runAsUser: prepared.uid,
      runAsGroup: prepared.gid,
      ...recordedAccess(restore),
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: SERVER_CONTAINER,
        ...(image === undefined ? {} : { image }),
        command,
        ports: [{ name: 'database', containerPort: port }],
        readinessProbe: { tcpSocket: { port }, periodSeconds: 2, failureThreshold: 1 },
        ...(resources === undefined ? {} : { resources }),
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        volumeMounts: [
          { name: 'socket', mountPath: SOCKET_DIRECTORY },
          { name: 'files', mountPath: FILES_DIRECTORY, readOnly: true },
          ...dataMounts(restore),
        ],
      },
    ],
    volumes: [
      { name: 'socket', emptyDir: {} },
      // Readable for the user that the server runs as, who is known only now; nobody else is in this pod.
      { name: 'files', secret: { secretName: cloneNames(plan.name).login, defaultMode: 0o444 } },
      ...dataVolumes(restore),
    ],
  };
}

function metadata(plan: ClonePlan, name: string): New<Secret>['metadata'] {
  return { name, namespace: plan.restore.namespace, labels: cloneLabels(plan) };
}
