/**
 * MongoDB: harness/mongo.ts as the contract suite sees it. It runs on a stand-in, and its titles say so; with E2E_MONGO_IMAGE
 * the same suite runs on that mongod.
 */
import { MongoMember } from 'stillpoint';
import { engine } from '../../../runner/engines/mongodb';
import {
  MONGO_BACKUP_PASSWORD,
  MONGO_IMAGE,
  MONGO_IS_STANDIN,
  MONGO_ROLE,
  MONGO_ROOT_PASSWORD,
  MONGO_TITLE,
  startMongo,
  startMongoOnClaim,
  type TestMongo,
  type TestMongoClient,
} from '../harness/mongo';
import { applyMongoPolicy } from '../harness/policy';
import type { EngineAdapter, TestClient, TestServer, Unmet } from './adapter';

/** What the stand-in does not have: see the notes of its image. */
const UNMET: Unmet = {
  withoutRight: 'the stand-in has no roles: whoever has logged in may do everything',
  obstruct: 'the stand-in has no transactions, and no write that takes long',
  longStatement: 'the stand-in has no transactions, and no write that takes long',
  sessions: 'the stand-in does not tell who is connected',
  // It has no oplog.
  inspection: /^the copy has no oplog, .* could not be compared$/,
};

const common = { setup: 'set', layout: 'atomic' } as const;

export const mongo: EngineAdapter = {
  title: MONGO_TITLE,
  name: 'mongo',
  image: MONGO_IMAGE,
  engine,
  modes: [
    { ...common, name: 'locked', freezes: 'writes', exact: true, secondFreeze: 'freeze-left' },
    { ...common, name: 'unlocked', freezes: 'nothing', exact: false, mayLose: /as after a crash/ },
  ],
  start: async ({ namespace, name }) => serverOf(await startMongo({ namespace, name })),
};

function serverOf(server: TestMongo): TestServer {
  const { name, namespace, pod, claim } = server;
  const asAdministrator = async <T>(work: (client: TestMongoClient) => Promise<T>): Promise<T> => {
    const client = await server.connect();
    return await work(client).finally(() => client.end());
  };
  const granting = async (command: 'grantRolesToUser' | 'revokeRolesFromUser'): Promise<void> => {
    await asAdministrator((client) => client.command({ [command]: 'stillpoint', roles: [MONGO_ROLE] }));
  };
  return {
    name,
    namespace,
    pod,
    claims: { data: claim },
    ...(MONGO_IS_STANDIN ? { unmet: UNMET } : {}),
    secrets: [MONGO_ROOT_PASSWORD, MONGO_BACKUP_PASSWORD],
    connect: async () => clientOf(await server.connect()),
    policy: (mode, options) =>
      applyMongoPolicy(server, {
        database: options.name,
        ...(mode.name === 'unlocked' ? { lock: false } : {}),
        ...options,
      }),
    target: async () => ({
      connection: { host: await server.address(), port: 27017, usernameFile: '' },
      username: 'stillpoint',
      password: MONGO_BACKUP_PASSWORD,
      tls: undefined,
      options: { member: MongoMember.PRIMARY },
    }),
    request: (mode) => ({
      id: '20260101000000',
      volumes: [{ name: 'data', role: 'data', claim, namespace, mountPath: '/data/db' }],
      layout: 'auto',
      groupClass: false,
      atomicStore: true,
      options: { member: MongoMember.PRIMARY, lock: String(mode.name === 'locked') },
    }),
    startCopy: async (copy, { data = '' }) => clientOf(await startMongoOnClaim({ name: copy, namespace, claim: data })),
    held: () => asAdministrator(heldAt),
    withoutRight: async () => {
      await granting('revokeRolesFromUser');
      return { end: () => granting('grantRolesToUser') };
    },
  };
}

/** The lock, and the backup's connections, which a stand-in does not list. */
async function heldAt(client: TestMongoClient): Promise<readonly string[]> {
  const { fsyncLock, inprog } = await client.command({ currentOp: 1, $all: true });
  const ours = (inprog as readonly Readonly<Record<string, unknown>>[]).filter(
    ({ appName }) => appName === 'stillpoint',
  );
  return [...(fsyncLock === true ? ['locked'] : []), ...ours.map(({ desc }) => `session ${String(desc)}`)];
}

function clientOf(client: TestMongoClient): TestClient {
  return {
    ...client,
    // A server without an oplog has no position to compare: its rows are all that is judged by.
    position: async () => {
      const opTime = await client.newestOperation();
      return opTime === undefined ? {} : { opTime };
    },
  };
}
