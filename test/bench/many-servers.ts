/**
 * Many small Redis servers, each with a pod and a volume of its own: backups that share a pod wait for each other, as they
 * should, and would measure that.
 */

import { Duration } from 'cdk8s';
import { BackupVolume, RedisBackup, RedisMode, Registry } from 'stillpoint';
import { type Anything, apply, KINDS, list } from '../e2e/harness/cluster';
import { applyPolicyOf, type TestPolicy } from '../e2e/harness/policy';
import { BACKUP_RULES, DEFAULT_PASSWORD, REDIS_BACKUP_PASSWORD } from '../e2e/harness/redis';
import { thisRun } from '../e2e/harness/this-run';
import { eventually } from '../e2e/harness/wait';

const PORT = 6379;

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
  const names = Array.from({ length: count }, (_, index) => `many-${index}`);
  await apply([credentials(namespace), ...names.flatMap((name) => objects(namespace, name))]);
  await eventually(
    `${count} servers are ready`,
    async () => {
      const found = await list(KINDS.pod, namespace, 'app.kubernetes.io/part-of=many');
      return found.length === count && found.every(isReady);
    },
    { seconds: 1_200 },
  );
  return names.map((service) => ({ service, port: PORT, namespace }));
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

function objects(namespace: string, name: string): readonly Anything[] {
  const metadata = { name, namespace, labels: { app: name, 'app.kubernetes.io/part-of': 'many' } };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: { app: name }, ports: [{ name: 'redis', port: PORT }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: {
        serviceName: name,
        replicas: 1,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: metadata.labels },
          spec: { terminationGracePeriodSeconds: 2, containers: [container()] },
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

function container(): object {
  const user = ['stillpoint', 'on', `>${REDIS_BACKUP_PASSWORD}`, ...BACKUP_RULES];
  return {
    name: 'server',
    image: 'redis:8',
    args: ['redis-server', '--requirepass', DEFAULT_PASSWORD, '--user', ...user, '--dir', '/data'],
    ports: [{ containerPort: PORT }],
    // Seldom: two hundred probes a second are work as well.
    readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 20 },
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  };
}

function isReady({ status }: Anything): boolean {
  return (status?.conditions ?? []).some(
    ({ type, status: value }: { type: string; status: string }) => type === 'Ready' && value === 'True',
  );
}
