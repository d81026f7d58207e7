/**
 * A MongoDB replica set of one member in a StatefulSet, made as a user would make one. Where no mongod can be had it is a
 * stand-in: FerretDB behind a proxy that has the documented lock (see the image's own notes). E2E_MONGO_IMAGE names the
 * image of a real one; nothing else changes.
 */
import { MongoClient } from 'mongodb';
import type { LedgerClient } from '../../ledger/writer';
import { type Anything, apply, create, KINDS } from './cluster';
import { secret, statefulServer } from './objects';
import { addressOf, isReady } from './pods';
import { eventually } from './wait';

/** What the tests run on; their titles say it. */
export const MONGO_IMAGE = process.env.E2E_MONGO_IMAGE ?? 'mongo-standin:8';

/** Whether it is the stand-in: what that lacks is skipped, and says why. */
export const MONGO_IS_STANDIN = process.env.E2E_MONGO_IMAGE === undefined;

/** For the titles: what was shown on a stand-in was not shown on the real one. */
export const MONGO_TITLE = process.env.E2E_MONGO_IMAGE ?? 'MongoDB (a stand-in, not a mongod)';

/** The passwords of the administrator and of the backup's user; no log may hold them. */
export const MONGO_ROOT_PASSWORD = 'a stapler of correct batteries';
export const MONGO_BACKUP_PASSWORD = 'what the secondary had for lunch';

/** How a test's server is made. */
export interface MongoOptions {
  readonly namespace: string;
  /** @default 'catalogue-db' */
  readonly name?: string;
  /** A locked server lets nobody new log in, as MongoDB warns that a real one may. Of the stand-in alone. */
  readonly lockBlocksLogin?: boolean;
  /** @default 'rs0' */
  readonly set?: string;
  /** What it is in a sharded cluster. The stand-in does not mind. */
  readonly clusterRole?: 'configsvr' | 'shardsvr';
}

/** A running server of a test. */
export interface TestMongo {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly claim: string;
  /** The Secret with `username` and `password` of a user who may take backups and nothing else. */
  readonly credentials: string;
  address(): Promise<string>;
  /** A connection as the administrator, to the pod itself. */
  connect(): Promise<TestMongoClient>;
}

/** A connection of a test: the statements of the ledger, and any command. */
export interface TestMongoClient extends LedgerClient {
  command(command: Readonly<Record<string, unknown>>, database?: string): Promise<Readonly<Record<string, unknown>>>;
  /** Where the oplog ends, as `seconds:increment`; undefined where there is none. */
  newestOperation(): Promise<string | undefined>;
}

/** The role of the backup's user. */
export const MONGO_ROLE = 'stillpoint';

/** What the documentation tells users to grant, and no more. */
const ROLE = {
  role: MONGO_ROLE,
  privileges: [
    {
      resource: { cluster: true },
      actions: ['fsync', 'unlock', 'inprog', 'serverStatus', 'getCmdLineOpts', 'replSetGetStatus', 'replSetGetConfig'],
    },
  ],
  roles: [],
} as const;

/** The database of the ledger. */
export const MONGO_DATABASE = 'books';
const DATA = '/data/db';

/** What the documentation tells users to grant beside that where the policy names a mongos. */
const ROUTER_PRIVILEGES = [
  { resource: { cluster: true }, actions: ['getShardMap'] },
  { resource: { db: 'config', collection: 'settings' }, actions: ['find', 'update'] },
] as const;

/** Starts a set of one member, and waits until it can be written to. */
export async function startMongo(options: MongoOptions): Promise<TestMongo> {
  const { namespace, name = 'catalogue-db', set = 'rs0' } = options;
  await apply(mongoObjects({ ...options, name, set }));
  const pod = `${name}-0`;
  await eventually(`${name} is ready`, () => isReady(pod, namespace), { seconds: 120 });
  const address = (): Promise<string> => addressOf(pod, namespace);
  await initiate(await address(), memberOf(name, namespace), { ...options, set });
  return {
    name,
    namespace,
    pod,
    claim: `data-${pod}`,
    credentials: `${name}-backup`,
    address,
    connect: async () => await connectTo(await address()),
  };
}

/** The name by which the one member of a set is known. */
export function memberOf(name: string, namespace: string): string {
  return `${name}-0.${membersOf(name)}.${namespace}.svc.cluster.local:27017`;
}

/** Makes the set and the backup's user: a real mongod has neither yet. */
async function initiate(
  host: string,
  member: string,
  { set, clusterRole }: Pick<MongoOptions, 'clusterRole'> & { readonly set: string },
): Promise<void> {
  const root = await connectTo(host);
  try {
    const configsvr = clusterRole === 'configsvr' ? { configsvr: true } : {};
    await root
      .command({ replSetInitiate: { _id: set, ...configsvr, members: [{ _id: 0, host: member }] } })
      .catch(isThere);
    await eventually(
      'the set has a primary',
      async () => (await root.command({ hello: 1 })).isWritablePrimary === true,
    );
    const { role, privileges, ...rest } = ROLE;
    const granted = clusterRole === 'configsvr' ? [...privileges, ...ROUTER_PRIVILEGES] : privileges;
    const roles = await root.command({ createRole: role, privileges: granted, ...rest }).then(
      () => [role],
      () => [],
    );
    await root.command({ createUser: 'stillpoint', pwd: MONGO_BACKUP_PASSWORD, roles }).catch(isThere);
  } finally {
    await root.end();
  }
}

/** AlreadyInitialized; a user that is there already. */
function isThere(error: { readonly code?: unknown }): void {
  if (error.code !== 23 && error.code !== 51003) throw error;
}

type Described = MongoOptions & { readonly name: string; readonly set: string };

function mongoObjects(options: Described): readonly Anything[] {
  const { namespace, name } = options;
  const keyfile = 'bWVtYmVycyBvZiBvbmUgc2V0IGtub3cgZWFjaCBvdGhlciBieSB0aGlz';
  return [
    secret({ name, namespace }, { password: MONGO_ROOT_PASSWORD, keyfile }),
    secret({ name: `${name}-backup`, namespace }, { username: 'stillpoint', password: MONGO_BACKUP_PASSWORD }),
    ...statefulServer({
      namespace,
      name,
      port: 27017,
      pod: podSpec(options),
      volumes: ['data'],
      members: membersOf(name),
    }),
  ];
}

/** The headless Service by which members find each other. */
function membersOf(name: string): string {
  return `${name}-members`;
}

function podSpec({ name, set, clusterRole, lockBlocksLogin = false }: Described): object {
  const own = 'cp /secret/keyfile /own/keyfile; chown 999:999 /own/keyfile; chmod 400 /own/keyfile';
  return {
    terminationGracePeriodSeconds: 10,
    initContainers: [
      {
        // A mongod wants a key file that is nobody else's.
        name: 'own',
        image: MONGO_IMAGE,
        command: ['bash', '-c', own],
        volumeMounts: [
          { name: 'secret', mountPath: '/secret' },
          { name: 'own', mountPath: '/own' },
        ],
      },
    ],
    containers: [
      {
        name: 'server',
        image: MONGO_IMAGE,
        args: [
          ...['--replSet', set, '--port', '27017', '--bind_ip_all', '--keyFile', '/own/keyfile'],
          ...(clusterRole === undefined ? [] : [`--${clusterRole}`]),
        ],
        env: [
          { name: 'MONGO_INITDB_ROOT_USERNAME', value: 'root' },
          { name: 'MONGO_INITDB_ROOT_PASSWORD', valueFrom: { secretKeyRef: { name, key: 'password' } } },
          ...(lockBlocksLogin ? [{ name: 'LOCK_BLOCKS_LOGIN', value: 'true' }] : []),
        ],
        ports: [{ containerPort: 27017 }],
        readinessProbe: { tcpSocket: { port: 27017 }, periodSeconds: 1, failureThreshold: 1 },
        volumeMounts: [
          { name: 'data', mountPath: DATA },
          { name: 'own', mountPath: '/own' },
        ],
      },
    ],
    volumes: [
      { name: 'secret', secret: { secretName: name } },
      { name: 'own', emptyDir: {} },
    ],
  };
}

/** A pod with a server of no set on a claim that a restore has made, as the documentation tells users to start one. */
export async function startMongoOnClaim(pod: {
  readonly name: string;
  readonly namespace: string;
  readonly claim: string;
}): Promise<TestMongoClient> {
  const { name, namespace, claim } = pod;
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'server',
          image: MONGO_IMAGE,
          args: ['--bind_ip_all', '--setParameter', 'recoverFromOplogAsStandalone=true'],
          readinessProbe: { tcpSocket: { port: 27017 }, periodSeconds: 1, failureThreshold: 1 },
          volumeMounts: [{ name: 'data', mountPath: DATA }],
        },
      ],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
    },
  } as Anything);
  await eventually(`${name} is ready`, () => isReady(name, namespace), { seconds: 120 });
  return await connectTo(await addressOf(name, namespace), null);
}

/** A connection to a server, as its administrator where nothing else is said. */
export async function connectTo(
  host: string,
  auth: { username: string; password: string } | null = { username: 'root', password: MONGO_ROOT_PASSWORD },
): Promise<TestMongoClient> {
  return await eventually(`the server at ${host} answers`, async () => {
    const client = new MongoClient(`mongodb://${host}:27017/?directConnection=true`, {
      ...(auth === null ? {} : { auth }),
      retryWrites: false,
      serverSelectionTimeoutMS: 5_000,
    });
    await client.db('admin').command({ ping: 1 });
    return {
      ...ledgerOf(client),
      command: (command, database = 'admin') => client.db(database).command({ ...command }),
      newestOperation: async () => {
        const local = client.db('local');
        if ((await local.listCollections({ name: 'oplog.rs' }).toArray()).length === 0) return undefined;
        const [last] = await local.collection('oplog.rs').find().sort({ $natural: -1 }).limit(1).toArray();
        const { t, i } = (last?.ts ?? {}) as { readonly t?: number; readonly i?: number };
        return last === undefined ? undefined : `${t}:${i}`;
      },
      end: () => client.close(),
    };
  });
}

/** The ledger as documents of one collection. */
function ledgerOf(client: MongoClient): Omit<LedgerClient, 'end'> {
  const ledger = client.db(MONGO_DATABASE).collection<{ _id: number; note: string }>('ledger');
  return {
    prepare: async () => undefined,
    forget: async () => {
      await ledger.drop();
    },
    add: async (number) => {
      await ledger.insertOne({ _id: number, note: 'x'.repeat(200) });
    },
    numbers: async () => (await ledger.find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id),
  };
}
