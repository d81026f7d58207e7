/** Replicas of a test's Redis or Valkey, and sentinels that watch over them. */
import { type Anything, apply, KINDS } from './cluster';
import { addressOf, isReady } from './pods';
import {
  connectTo,
  DEFAULT_PASSWORD,
  infoOf,
  type RedisImage,
  type RedisOptions,
  startRedis,
  type TestRedis,
} from './redis';
import { eventually } from './wait';

/** Starts a replica of a server, and waits until it has its data. */
export async function startRedisReplica(
  { namespace, image, name: primary, address }: TestRedis,
  name: string,
  options: Pick<RedisOptions, 'appendOnly' | 'file' | 'args' | 'rules'> & { readonly byAddress?: boolean } = {},
): Promise<TestRedis> {
  const { byAddress = false, args = [], ...more } = options;
  const of = ['--replicaof', byAddress ? await address() : primary, '6379', '--masterauth', DEFAULT_PASSWORD];
  const replica = await startRedis({ namespace, image, name, ...more, args: [...of, ...args] });
  const client = await replica.connect();
  await eventually('the replica follows', async () => (await infoOf(client)).master_link_status === 'up');
  await client.end();
  return replica;
}

/** The password of the sentinels themselves; no log may hold it. */
export const SENTINEL_PASSWORD = 'quis custodiet ipsos';

/** A sentinel of a test. */
export interface TestSentinel {
  readonly name: string;
  /** The Secret with its `password`. */
  readonly credentials: string;
  /** What it says of the master: its address and how it is. */
  ask(...args: readonly string[]): Promise<unknown>;
}

/** Starts a sentinel that watches a server under a name. Its word alone is enough for a failover. */
export async function startSentinel(
  server: TestRedis,
  { name, masterName, image }: { readonly name: string; readonly masterName: string; readonly image: RedisImage },
): Promise<TestSentinel> {
  const { namespace } = server;
  const settings = [
    `requirepass "${SENTINEL_PASSWORD}"`,
    `sentinel monitor ${masterName} ${await server.address()} 6379 1`,
    `sentinel auth-pass ${masterName} ${DEFAULT_PASSWORD}`,
    // A master that the test keeps from answering is not down.
    `sentinel down-after-milliseconds ${masterName} 60000`,
  ].join('\n');
  const metadata = { name, namespace, labels: { app: name } };
  const program = image === 'redis:8' ? 'redis-server' : 'valkey-server';
  await apply([
    { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { password: SENTINEL_PASSWORD } } as Anything,
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: { app: name }, ports: [{ port: 26379 }] },
    } as Anything,
    {
      ...KINDS.pod,
      metadata,
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'sentinel',
            image,
            command: [
              'bash',
              '-c',
              `echo "$SETTINGS" > /tmp/sentinel.conf; exec ${program} /tmp/sentinel.conf --sentinel`,
            ],
            env: [{ name: 'SETTINGS', value: settings }],
            readinessProbe: { tcpSocket: { port: 26379 }, periodSeconds: 1, failureThreshold: 1 },
          },
        ],
      },
    } as Anything,
  ]);
  await eventually(`${name} is ready`, () => isReady(name, namespace));
  return {
    name,
    credentials: name,
    ask: async (...args) => {
      const address = await addressOf(name, namespace);
      const client = await connectTo(address, SENTINEL_PASSWORD, { port: 26379, answers: 'PING' });
      return await client.send('SENTINEL', ...args).finally(() => client.end());
    },
  };
}
