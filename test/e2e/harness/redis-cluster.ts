/** A Redis Cluster of three masters in one StatefulSet; its nodes are made one cluster by hand, as `redis-cli --cluster` does. */
import { createCluster } from 'redis';
import type { LedgerClient } from '../../ledger/writer';
import { addressOf } from './pods';
import {
  connectTo,
  DEFAULT_PASSWORD,
  infoOf,
  type RedisClient,
  startRedis,
  startRedisOnClaim,
  type TestRedis,
} from './redis';
import { eventually } from './wait';

const MASTERS = 3;
const RANGES = [
  ['0', '5460'],
  ['5461', '10922'],
  ['10923', '16383'],
] as const;
const CLUSTER = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '5000'];

/** A running cluster of a test. */
export interface TestRedisCluster extends TestRedis {
  readonly pods: readonly string[];
  /** A connection as the administrator to one of the masters. */
  connectToPod(pod: string): Promise<RedisClient>;
  /** A connection that writes to whichever master has the slot. */
  ledger(): Promise<LedgerClient>;
}

/** Starts the pods, and makes a cluster of them. */
export async function startRedisCluster(namespace: string, name: string): Promise<TestRedisCluster> {
  const server = await startRedis({ namespace, name, image: 'redis:8', replicas: MASTERS, args: CLUSTER });
  const pods = Array.from({ length: MASTERS }, (_, ordinal) => `${name}-${ordinal}`);
  const addresses = await Promise.all(pods.map((pod) => addressOf(pod, namespace)));
  const clients = await Promise.all(addresses.map((address) => connectTo(address)));
  for (const [index, [from, to]] of RANGES.entries()) await clients[index]?.send('CLUSTER', 'ADDSLOTSRANGE', from, to);
  await meet(clients, addresses);
  return {
    ...server,
    pods,
    connectToPod: async (pod) => await connectTo(await addressOf(pod, namespace)),
    ledger: () => clusterLedger(addresses),
  };
}

/** Starts a node on each of some claims that a restore has made, and lets them meet: their slots they have already. */
export async function startClusterOnClaims(namespace: string, claims: readonly string[]): Promise<LedgerClient> {
  const clients = await Promise.all(
    claims.map((claim) => startRedisOnClaim({ name: claim, namespace, image: 'redis:8', args: CLUSTER }, claim)),
  );
  const addresses = await Promise.all(claims.map((claim) => addressOf(claim, namespace)));
  await meet(clients, addresses);
  return await clusterLedger(addresses);
}

/** Introduces the nodes to each other, and waits until every one of them takes the cluster for whole. */
async function meet(clients: readonly RedisClient[], addresses: readonly string[]): Promise<void> {
  for (const address of addresses.slice(1)) await clients[0]?.send('CLUSTER', 'MEET', address, '6379');
  for (const [index, client] of clients.entries()) {
    await eventually(
      `node ${index} knows a whole cluster`,
      async () => {
        const state = String(await client.send('CLUSTER', 'INFO'));
        return state.includes('cluster_state:ok') && state.includes(`cluster_size:${MASTERS}`);
      },
      { seconds: 60 },
    );
    await client.end();
  }
}

/** A ledger whose rows lie on all masters: each key has a slot of its own. */
async function clusterLedger(addresses: readonly string[]): Promise<LedgerClient> {
  const cluster = createCluster({
    rootNodes: addresses.map((host) => ({ socket: { host, port: 6379 } })),
    defaults: { password: DEFAULT_PASSWORD },
  });
  cluster.on('error', () => undefined);
  await cluster.connect();
  const onEach = async <T>(work: (client: RedisClient) => Promise<T>): Promise<readonly T[]> => {
    return await Promise.all(
      addresses.map(async (address) => {
        const client = await connectTo(address);
        return await work(client).finally(() => client.end());
      }),
    );
  };
  return {
    prepare: async () => undefined,
    forget: async () => void (await onEach((client) => client.send('FLUSHALL'))),
    add: async (number) => void (await cluster.set(`ledger:${number}`, 'x'.repeat(200))),
    numbers: async () => {
      const keys = await onEach(async (client) => (await client.send('KEYS', 'ledger:*')) as readonly string[]);
      return keys
        .flat()
        .map((key) => Number(key.slice('ledger:'.length)))
        .sort((a, b) => a - b);
    },
    end: async () => cluster.destroy(),
  };
}

/** Settings of a master that are not its own: what a backup has changed and not put back. */
export async function changedAt(client: RedisClient): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const [name, own] of Object.entries({ appendfsync: 'everysec', 'auto-aof-rewrite-percentage': '100' })) {
    const [, now] = (await client.send('CONFIG', 'GET', name)) as readonly string[];
    if (now !== own) changed.push(`${name} is ${now}`);
  }
  const { paused_actions: paused = 'none' } = await infoOf(client);
  return paused === 'none' ? changed : [...changed, `paused: ${paused}`];
}
