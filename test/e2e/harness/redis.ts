/** A Redis or Valkey in a StatefulSet, made as a user would make one: plain manifests of the public images. */
import { createClient } from 'redis';
import { type Anything, apply, create, KINDS, read } from './cluster';
import { eventually } from './wait';

/** The passwords of the administrator and of the backup's user; no log may hold them. */
export const DEFAULT_PASSWORD = 'open-sesame-said-the-cache';
export const REDIS_BACKUP_PASSWORD = 'forty-thieves-in-a-jar';

/** A public image that the suite runs on. */
export type RedisImage = 'redis:8' | 'valkey:8';

/** How a test's server is made. */
export interface RedisOptions {
  readonly namespace: string;
  readonly image: RedisImage;
  /** @default 'sessions-db' */
  readonly name?: string;
  /** Whether it has an append-only file. @default true */
  readonly appendOnly?: boolean;
  /** How many pods there are, each with a claim of its own. @default 1 */
  readonly replicas?: number;
  /** More arguments, as `--maxmemory`, `1mb`. */
  readonly args?: readonly string[];
}

/** What a test says to a server. */
export interface RedisClient {
  send(...args: readonly string[]): Promise<unknown>;
  end(): Promise<void>;
}

/** A running server of a test. */
export interface TestRedis {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly image: RedisImage;
  readonly appendOnly: boolean;
  readonly claims: { readonly data: string };
  /** The Secret with `username` and `password` of a user who may take backups and nothing else. */
  readonly credentials: string;
  address(): Promise<string>;
  /** A connection as the administrator, to the pod itself. */
  connect(): Promise<RedisClient>;
}

/** What the documentation tells users to grant, and no more. */
export const BACKUP_RULES = [
  'resetchannels',
  '&stillpoint',
  '+info',
  '+config|get',
  '+config|set',
  '+client|id',
  '+client|info',
  '+client|list',
  '+client|pause',
  '+client|unpause',
  '+publish',
  '+bgsave',
] as const;

/** What it tells users of a cluster to grant besides. */
const CLUSTER_RULES = ['+cluster|nodes', '+cluster|info'] as const;

/** The arguments of a server with the backup's user: as users have them, in a file or on the command line. */
function argumentsOf({
  image,
  appendOnly,
  args,
}: Pick<Required<RedisOptions>, 'image' | 'appendOnly' | 'args'>): string[] {
  const more = args.includes('--cluster-enabled') ? CLUSTER_RULES : [];
  const user = ['stillpoint', 'on', `>${REDIS_BACKUP_PASSWORD}`, ...BACKUP_RULES, ...more];
  return [
    image === 'redis:8' ? 'redis-server' : 'valkey-server',
    ...['--requirepass', DEFAULT_PASSWORD],
    ...['--user', ...user],
    ...(appendOnly ? ['--appendonly', 'yes'] : []),
    ...args,
  ];
}

/** Starts a server and waits until it accepts connections. */
export async function startRedis(options: RedisOptions): Promise<TestRedis> {
  const { namespace, image, name = 'sessions-db', appendOnly = true, replicas = 1, args = [] } = options;
  await apply(redisObjects({ namespace, image, name, appendOnly, replicas, args }));
  const pod = `${name}-0`;
  for (let ordinal = 0; ordinal < replicas; ordinal++) {
    await eventually(`${name} is ready`, () => isReady(`${name}-${ordinal}`, namespace), { seconds: 120 });
  }
  return {
    name,
    namespace,
    pod,
    image,
    appendOnly,
    claims: { data: `data-${pod}` },
    credentials: `${name}-backup`,
    address: () => addressOf(pod, namespace),
    connect: async () => await connectTo(await addressOf(pod, namespace)),
  };
}

function redisObjects(options: Required<RedisOptions>): readonly Anything[] {
  const { namespace, name } = options;
  const metadata = (suffix = ''): NonNullable<Anything['metadata']> => ({
    name: `${name}${suffix}`,
    namespace,
    labels: { app: name },
  });
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('-backup'),
      stringData: { username: 'stillpoint', password: REDIS_BACKUP_PASSWORD },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(),
      spec: { selector: { app: name }, ports: [{ name: 'redis', port: 6379 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: metadata(),
      spec: {
        serviceName: name,
        replicas: options.replicas,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { terminationGracePeriodSeconds: 5, containers: [container(options)] },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
          },
        ],
      },
    },
  ];
}

function container(options: Pick<Required<RedisOptions>, 'image' | 'appendOnly' | 'args'>): object {
  return {
    name: 'server',
    image: options.image,
    args: argumentsOf(options),
    ports: [{ containerPort: 6379 }],
    readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1, failureThreshold: 1 },
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  };
}

/** A pod with a server on a claim that a restore has made, as a user would start one. */
export async function startRedisOnClaim(
  pod: Pick<RedisOptions, 'namespace' | 'image' | 'appendOnly' | 'args'> & { readonly name: string },
  claimName: string,
): Promise<RedisClient> {
  const { name, namespace, image, appendOnly = true, args = [] } = pod;
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [container({ image, appendOnly, args })],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    },
  } as Anything);
  await eventually(`${name} is ready`, () => isReady(name, namespace), { seconds: 120 });
  return await connectTo(await addressOf(name, namespace));
}

async function isReady(pod: string, namespace: string): Promise<boolean> {
  const found = await read(KINDS.pod, pod, namespace);
  return (found?.status?.conditions ?? []).some(
    ({ type, status }: { type: string; status: string }) => type === 'Ready' && status === 'True',
  );
}

export async function addressOf(pod: string, namespace: string): Promise<string> {
  return await eventually(`${pod} has an address`, async () => (await read(KINDS.pod, pod, namespace))?.status?.podIP);
}

/** Connects, and waits until the server has loaded its data. */
export async function connectTo(host: string, password = DEFAULT_PASSWORD): Promise<RedisClient> {
  return await eventually(`the server at ${host} answers`, async () => {
    const client = createClient({
      RESP: 2,
      password,
      maintNotifications: 'disabled',
      socket: { host, port: 6379, reconnectStrategy: false },
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.sendCommand(['DBSIZE']);
    } catch (error) {
      client.destroy();
      throw error;
    }
    return {
      send: (...args) => client.sendCommand([...args]),
      end: async () => client.destroy(),
    };
  });
}

/** What INFO says, by field. */
export async function infoOf(client: RedisClient): Promise<Readonly<Record<string, string>>> {
  const text = String(await client.send('INFO'));
  return Object.fromEntries(
    text
      .split('\r\n')
      .flatMap((line) => (line.includes(':') ? [line.split(/:(.*)/s).slice(0, 2) as [string, string]] : [])),
  );
}
