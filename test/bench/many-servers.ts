/**
 * Many Redis servers for little: ten containers in a pod, which share its volume, each with a folder and a port of its own. To a
 * backup each is a server as any other; it cuts the volume that the server's folder lies on.
 */

import { Duration } from 'cdk8s';
import { BackupVolume, RedisBackup, RedisMode, Registry } from 'stillpoint';
import { type Anything, apply, KINDS, list } from '../e2e/harness/cluster';
import { applyPolicyOf, type TestPolicy } from '../e2e/harness/policy';
import { BACKUP_RULES, DEFAULT_PASSWORD, REDIS_BACKUP_PASSWORD } from '../e2e/harness/redis';
import { thisRun } from '../e2e/harness/this-run';
import { eventually } from '../e2e/harness/wait';

const PER_POD = 10;
const FIRST_PORT = 6379;

/** Longer than all of them take together, and by far. */
const DEADLINE = Duration.minutes(60);

/** One server, as a policy names it. */
export interface SmallServer {
  readonly service: string;
  readonly port: number;
  readonly namespace: string;
}

/** Starts so many, and waits until they are ready. */
export async function startSmallServers(namespace: string, count: number): Promise<readonly SmallServer[]> {
  const pods = Array.from({ length: Math.ceil(count / PER_POD) }, (_, pod) => ({
    service: `many-${pod}`,
    servers: Math.min(PER_POD, count - pod * PER_POD),
  }));
  await apply([
    credentials(namespace),
    ...pods.flatMap(({ service, servers }) => objects(namespace, service, servers)),
  ]);
  await eventually(
    `${count} servers are ready`,
    async () => {
      const found = await list(KINDS.pod, namespace, 'app.kubernetes.io/part-of=many');
      return found.length === pods.length && found.every(isReady);
    },
    { seconds: 600 },
  );
  return pods.flatMap(({ service, servers }) =>
    Array.from({ length: servers }, (_, index) => ({ service, port: FIRST_PORT + index, namespace })),
  );
}

/** The policy of one of them: writes wait from the beginning of its dump until the cut is seen, and no guard is needed. */
export function applyManyPolicy(
  { service, port, namespace }: SmallServer,
  { name, directCut, slots }: { readonly name: string; readonly directCut: boolean; readonly slots: number },
): Promise<TestPolicy> {
  const server = { name: service, namespace, credentials: 'many', volumes: [BackupVolume.fromServerPod('data')] };
  return applyPolicyOf(RedisBackup, server, {
    name,
    database: name,
    port,
    mode: RedisMode.RDB_PAUSED,
    directCut,
    deadline: DEADLINE,
    registry: Registry.fromNamespace(thisRun.registry, slots),
  });
}

function credentials(namespace: string): Anything {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'many', namespace },
    stringData: { username: 'stillpoint', password: REDIS_BACKUP_PASSWORD },
  } as Anything;
}

function objects(namespace: string, service: string, servers: number): readonly Anything[] {
  const metadata = { name: service, namespace, labels: { app: service, 'app.kubernetes.io/part-of': 'many' } };
  const ports = Array.from({ length: servers }, (_, index) => FIRST_PORT + index);
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: { app: service }, ports: ports.map((port) => ({ name: `redis-${port}`, port })) },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: {
        serviceName: service,
        replicas: 1,
        selector: { matchLabels: { app: service } },
        template: {
          metadata: { labels: metadata.labels },
          spec: {
            terminationGracePeriodSeconds: 2,
            initContainers: [folders(ports)],
            containers: ports.map(container),
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
          },
        ],
      },
    },
  ] as readonly Anything[];
}

function container(port: number): object {
  const user = ['stillpoint', 'on', `>${REDIS_BACKUP_PASSWORD}`, ...BACKUP_RULES];
  const args = ['redis-server', '--requirepass', DEFAULT_PASSWORD, '--user', ...user, '--port', `${port}`];
  return {
    name: `server-${port}`,
    image: 'redis:8',
    args: [...args, '--dir', `/data/${port}`],
    ports: [{ containerPort: port }],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 2 },
    volumeMounts: [MOUNT],
  };
}

const MOUNT = { name: 'data', mountPath: '/data' };

/** A server does not make its own. */
function folders(ports: readonly number[]): object {
  const make = ports.map((port) => `mkdir -p /data/${port} && chmod 777 /data/${port}`).join(' && ');
  return { name: 'folders', image: 'redis:8', command: ['bash', '-c', make], volumeMounts: [MOUNT] };
}

function isReady({ status }: Anything): boolean {
  return (status?.conditions ?? []).some(
    ({ type, status: value }: { type: string; status: string }) => type === 'Ready' && value === 'True',
  );
}
