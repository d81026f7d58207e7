/** Redis and Valkey: harness/redis.ts as the contract suite sees it. */
import { RedisMode } from 'stillpoint';
import { engine } from '../../../runner/engines/redis';
import { redisLedger } from '../../ledger/redis';
import { applyRedisPolicy } from '../harness/policy';
import {
  DEFAULT_PASSWORD,
  infoOf,
  REDIS_BACKUP_PASSWORD,
  type RedisClient,
  type RedisImage,
  startRedis,
  startRedisOnClaim,
  type TestRedis,
} from '../harness/redis';
import type { EngineAdapter, TestClient, TestServer } from './adapter';

/** What a dump lacks by its nature, and says so. */
const AFTER_THE_DUMP = /is not in the copy/;

/** What each mode of the suite is to the construct; the default is left out, as users do. */
const OPTION: Readonly<Record<string, RedisMode>> = {
  'rdb-paused': RedisMode.RDB_PAUSED,
  'rdb-of-aof': RedisMode.RDB,
};

export const redis = adapter('Redis 8', 'redis', 'redis:8');
export const valkey = adapter('Valkey 8', 'valkey', 'valkey:8');

function adapter(title: string, name: string, image: RedisImage): EngineAdapter {
  const common = { layout: 'atomic', exact: true } as const;
  const secondFreeze = 'freeze-left';
  return {
    title,
    name,
    image,
    engine,
    modes: [
      { ...common, name: 'aof', setup: 'append-only', freezes: 'writes', secondFreeze },
      { ...common, name: 'rdb', setup: 'dumps', freezes: 'nothing', mayLose: AFTER_THE_DUMP },
      { ...common, name: 'rdb-paused', setup: 'dumps', freezes: 'writes', secondFreeze },
      { ...common, name: 'rdb-of-aof', setup: 'append-only', freezes: 'nothing', mayLose: AFTER_THE_DUMP },
    ],
    start: async ({ namespace, name: server, setup }) =>
      serverOf(await startRedis({ namespace, image, name: server, appendOnly: setup === 'append-only' })),
  };
}

function serverOf(server: TestRedis): TestServer {
  const { name, namespace, pod, image, connect, claims, appendOnly } = server;
  const asAdministrator = async <T>(work: (client: RedisClient) => Promise<T>): Promise<T> => {
    const client = await connect();
    return await work(client).finally(() => client.end());
  };
  return {
    name,
    namespace,
    pod,
    claims,
    secrets: [DEFAULT_PASSWORD, REDIS_BACKUP_PASSWORD],
    connect: async () => clientOf(await connect()),
    policy: (mode, options) =>
      applyRedisPolicy(server, {
        database: options.name,
        ...(OPTION[mode.name] === undefined ? {} : { mode: OPTION[mode.name] }),
        ...options,
      }),
    target: async () => ({
      connection: { host: await server.address(), port: 6379, usernameFile: '' },
      username: 'stillpoint',
      password: REDIS_BACKUP_PASSWORD,
      tls: undefined,
    }),
    request: (mode) => ({
      id: '20260101000000',
      volumes: [{ name: 'data', role: 'data', claim: claims.data, namespace, mountPath: '/data' }],
      layout: 'auto',
      groupClass: false,
      atomicStore: true,
      options: OPTION[mode.name] === undefined ? {} : { mode: String(OPTION[mode.name]) },
    }),
    startCopy: async (copy, { data = '' }) =>
      clientOf(await startRedisOnClaim({ name: copy, namespace, image, appendOnly }, data)),
    held: () => asAdministrator(heldAt),
    withoutRight: async () => {
      await asAdministrator((client) => client.send('ACL', 'SETUSER', 'stillpoint', '-config|set'));
      return {
        end: () =>
          asAdministrator(async (client) => void (await client.send('ACL', 'SETUSER', 'stillpoint', '+config|set'))),
      };
    },
  };
}

/** The backup's sessions, and the settings that are not the servers' own. */
async function heldAt(client: RedisClient): Promise<readonly string[]> {
  const clients = String(await client.send('CLIENT', 'LIST')).split('\n');
  const sessions = clients.filter((line) => line.includes(' user=stillpoint ')).map((line) => line.split(' ')[0] ?? '');
  const settings: string[] = [];
  for (const [name, own] of Object.entries({ appendfsync: 'everysec', 'auto-aof-rewrite-percentage': '100' })) {
    const [, now] = (await client.send('CONFIG', 'GET', name)) as readonly string[];
    if (now !== own) settings.push(`${name} is ${now}`);
  }
  return [...sessions, ...settings];
}

function clientOf(client: RedisClient): TestClient {
  const keys = async (): Promise<string> => {
    const { db0 = '' } = await infoOf(client);
    return /keys=(\d+)/.exec(db0)?.[1] ?? '0';
  };
  return {
    ...redisLedger(client),
    position: async () => ({ keys: `db0=${await keys()}` }),
    changes: async () => Number(await keys()),
  };
}
