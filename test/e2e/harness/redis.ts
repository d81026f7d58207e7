/** A Redis or Valkey in a StatefulSet, made as a user would make one: plain manifests of the public images. */
import { createClient } from 'redis';
import { type Anything, apply, create, KINDS } from './cluster';
import { addressOf, isReady } from './pods';
import {
  DEFAULT_PASSWORD,
  type RedisImage,
  type RedisOptions,
  redisObjects,
  redisPod,
  withDefaults,
} from './redis-objects';
import { eventually } from './wait';

export {
  BACKUP_RULES,
  DEFAULT_PASSWORD,
  REDIS_BACKUP_PASSWORD,
  type RedisImage,
  type RedisOptions,
  SENTINEL_RULES,
  SETTINGS_FILE,
} from './redis-objects';

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

/** Starts a server and waits until it accepts connections. */
export async function startRedis(options: RedisOptions): Promise<TestRedis> {
  const all = withDefaults(options);
  const { namespace, image, name, appendOnly, replicas, certificate } = all;
  await apply(redisObjects(all));
  const pod = `${name}-0`;
  for (let ordinal = 0; ordinal < replicas; ordinal++) {
    await eventually(`${name} is ready`, () => isReady(`${name}-${ordinal}`, namespace), { seconds: 120 });
  }
  const tls = certificate !== undefined;
  return {
    name,
    namespace,
    pod,
    image,
    appendOnly,
    claims: { data: `data-${pod}` },
    credentials: `${name}-backup`,
    address: () => addressOf(pod, namespace),
    connect: async () => await connectTo(await addressOf(pod, namespace), DEFAULT_PASSWORD, { tls }),
  };
}

/** A pod with a server on a claim that a restore has made, as a user would start one. */
export async function startRedisOnClaim(
  options: RedisOptions & { readonly name: string },
  claimName: string,
): Promise<RedisClient> {
  const { name, namespace } = options;
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: { ...redisPod(withDefaults(options)), volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] },
  } as Anything);
  await eventually(`${name} is ready`, () => isReady(name, namespace), { seconds: 120 });
  return await connectTo(await addressOf(name, namespace));
}

/** How a server is reached. */
interface RedisConnection {
  readonly port?: number;
  /** What it has to answer to. */
  readonly answers?: string;
  readonly tls?: boolean;
}

/** Connects, and waits until the server has loaded its data. */
export async function connectTo(
  host: string,
  password = DEFAULT_PASSWORD,
  connection: RedisConnection = {},
): Promise<RedisClient> {
  return await eventually(`the server at ${host} answers`, () => connectRedis(host, password, connection));
}

/** Connects once. */
export async function connectRedis(
  host: string,
  password: string,
  { port = 6379, answers = 'DBSIZE', tls = false }: RedisConnection = {},
): Promise<RedisClient> {
  const client = createClient({
    RESP: 2,
    password,
    maintNotifications: 'disabled',
    socket: { host, port, reconnectStrategy: false, ...(tls ? { tls, rejectUnauthorized: false } : {}) },
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.sendCommand([answers]);
  } catch (error) {
    client.destroy();
    throw error;
  }
  return {
    send: (...args) => client.sendCommand([...args]),
    end: async () => client.destroy(),
  };
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
