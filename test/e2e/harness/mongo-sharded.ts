/**
 * A sharded cluster of config servers and two shards, each a set of one member, behind two mongos. Where no mongod can be had all of
 * them are stand-ins: see harness/mongo.ts and standins/mongos.ts. E2E_MONGO_IMAGE names the image of real ones.
 */
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import type { LedgerClient } from '../../ledger/writer';
import { type Anything, apply } from './cluster';
import {
  connectTo,
  MONGO_IMAGE,
  MONGO_IS_STANDIN,
  MONGO_ROOT_PASSWORD,
  memberOf,
  startMongo,
  type TestMongo,
  type TestMongoClient,
} from './mongo';
import { statefulServer } from './objects';
import { addressOf } from './pods';
import { eventually } from './wait';

/** For the titles: what was shown on a stand-in was not shown on the real one. */
export const SHARDED_TITLE = MONGO_IS_STANDIN
  ? 'a sharded MongoDB (stand-ins, no mongos and no mongod)'
  : 'a sharded MongoDB';

const ROUTER = 'mongos';
/** A mongos of a version that does not lock its shards yet. Of the stand-in alone. */
const OLD_ROUTER = 'mongos-of-old';
const SHARDS = ['shard-a', 'shard-b'] as const;
const CONFIG = 'cfg';

export interface TestShardedMongo {
  /** As a policy names it, by its mongos. */
  readonly router: Pick<TestMongo, 'name' | 'namespace' | 'credentials'>;
  readonly oldRouter: Pick<TestMongo, 'name' | 'namespace' | 'credentials'>;
  /** The config servers' pod and those of the shards, in the order of a record. */
  readonly pods: readonly string[];
  readonly claims: readonly string[];
  /** A connection as the administrator through the mongos. */
  connect(): Promise<TestMongoClient>;
  /** Connections as the administrator to each of the servers, in the order of the pods. */
  connectToAll(): Promise<readonly TestMongoClient[]>;
  /** Writes odd rows to one shard, even ones to the other: a stand-in does not route. */
  ledger(): Promise<LedgerClient>;
}

/** Starts it all. */
export async function startShardedMongo(namespace: string): Promise<TestShardedMongo> {
  const [config, ...shards] = (await Promise.all([
    startMongo({ namespace, name: CONFIG, set: CONFIG, clusterRole: 'configsvr' }),
    ...SHARDS.map((name) => startMongo({ namespace, name, set: name, clusterRole: 'shardsvr' })),
  ])) as [TestMongo, ...TestMongo[]];
  const program = MONGO_IS_STANDIN ? await standIn() : undefined;
  await apply([
    ...routerObjects(namespace, { name: ROUTER, version: '7.0.14', program }),
    ...(program === undefined ? [] : routerObjects(namespace, { name: OLD_ROUTER, version: '5.0.20', program })),
  ]);
  const servers = [config, ...shards];
  const connect = async (): Promise<TestMongoClient> => await connectTo(await addressOf(`${ROUTER}-0`, namespace));
  await eventually('the mongos knows its shards', async () => await introduce(connect, namespace), { seconds: 120 });
  return {
    router: { name: ROUTER, namespace, credentials: config.credentials },
    oldRouter: { name: OLD_ROUTER, namespace, credentials: config.credentials },
    pods: servers.map(({ pod }) => pod),
    claims: servers.map(({ claim }) => claim),
    connect,
    connectToAll: () => Promise.all(servers.map((server) => server.connect())),
    ledger: () => ledgerOf(shards),
  };
}

/** A real mongos has to be told of its shards. */
async function introduce(connect: () => Promise<TestMongoClient>, namespace: string): Promise<true> {
  const client = await connect();
  try {
    if (MONGO_IS_STANDIN) return true;
    for (const shard of SHARDS)
      await client.command({ addShard: `${shard}/${memberOf(shard, namespace)}`, name: shard });
    return true;
  } finally {
    await client.end();
  }
}

/** A ledger whose rows lie on both shards. */
async function ledgerOf(shards: readonly TestMongo[]): Promise<LedgerClient> {
  const clients = await Promise.all(shards.map((shard) => shard.connect()));
  return {
    prepare: async () => undefined,
    forget: async () => void (await Promise.all(clients.map((client) => client.forget()))),
    add: async (number) => await clients[number % clients.length]?.add(number),
    numbers: async () => (await Promise.all(clients.map((client) => client.numbers()))).flat().sort((a, b) => a - b),
    end: async () => void (await Promise.all(clients.map((client) => client.end()))),
  };
}

/** The stand-in as one file. */
async function standIn(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [new URL('../standins/mongos.ts', import.meta.url).pathname],
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    write: false,
    logLevel: 'error',
  });
  return gzipSync(outputFiles[0]?.contents ?? '').toString('base64');
}

const START =
  "const{readFileSync:r,writeFileSync:w}=require('fs');w('/tmp/mongos.cjs',require('zlib').gunzipSync(r('/app/mongos.cjs.gz')));require('/tmp/mongos.cjs')";

function routerObjects(
  namespace: string,
  { name, version, program }: { readonly name: string; readonly version: string; readonly program: string | undefined },
): readonly Anything[] {
  const members = { [CONFIG]: CONFIG, [SHARDS[0]]: SHARDS[0], [SHARDS[1]]: SHARDS[1] };
  const map = Object.keys(members).map(
    (member) => `${member === CONFIG ? 'config' : member}=${member}/${memberOf(member, namespace)}`,
  );
  const metadata = { name, namespace, labels: { app: name } };
  const real = {
    image: MONGO_IMAGE,
    command: [
      'bash',
      '-c',
      `cp /secret/keyfile /tmp/key; chmod 400 /tmp/key; exec mongos --configdb ${CONFIG}/${memberOf(CONFIG, namespace)} --bind_ip_all --keyFile /tmp/key`,
    ],
    volumeMounts: [{ name: 'secret', mountPath: '/secret' }],
  };
  const standin = {
    image: 'node:24',
    command: ['node', '-e', START],
    env: [
      { name: 'CLUSTER', value: map.join(' ') },
      { name: 'MONGOS_VERSION', value: version },
      { name: 'ROOT_PASSWORD', value: MONGO_ROOT_PASSWORD },
    ],
    volumeMounts: [{ name: 'program', mountPath: '/app' }],
  };
  return [
    ...(program === undefined
      ? []
      : [{ apiVersion: 'v1', kind: 'ConfigMap', metadata, binaryData: { 'mongos.cjs.gz': program } }]),
    ...statefulServer({
      namespace,
      name,
      port: 27017,
      volumes: [],
      pod: {
        terminationGracePeriodSeconds: 2,
        containers: [
          {
            name: 'mongos',
            ...(program === undefined ? real : standin),
            readinessProbe: { tcpSocket: { port: 27017 }, periodSeconds: 1 },
          },
        ],
        volumes: [
          program === undefined
            ? { name: 'secret', secret: { secretName: CONFIG } }
            : { name: 'program', configMap: { name } },
        ],
      },
    }),
  ] as readonly Anything[];
}
