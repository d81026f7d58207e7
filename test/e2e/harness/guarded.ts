/** Servers of the engines whose freeze outlives its session, as the tests of the dead man's switch see them. */
import type { DatabaseBackupProps } from 'stillpoint';
import type { LedgerClient } from '../../ledger/writer';
import { redis } from '../engines/redis';
import { MONGO_TITLE, startMongo } from './mongo';
import { applyMongoPolicy, type TestPolicy } from './policy';

/** What a test may say of its policy. */
export interface GuardedPolicy extends Pick<DatabaseBackupProps, 'budget'> {
  readonly name: string;
  readonly className?: string;
}

/** A server that a guard is needed for. */
export interface GuardedServer {
  connect(): Promise<LedgerClient>;
  policy(options: GuardedPolicy): Promise<TestPolicy>;
  /** What is in force of a backup that is no more, in words. */
  held(): Promise<readonly string[]>;
}

/** An engine that a guard is needed for. */
export interface GuardedEngine {
  readonly title: string;
  readonly name: string;
  /** `locksOut`: while it is held nobody new gets in, where there is a server that does so. */
  start(namespace: string, options?: { readonly name?: string; readonly locksOut?: boolean }): Promise<GuardedServer>;
}

export const GUARDED: readonly GuardedEngine[] = [
  { title: redis.title, name: 'redis', start: startGuardedRedis },
  { title: MONGO_TITLE, name: 'mongo', start: startGuardedMongo },
];

async function startGuardedRedis(namespace: string, { name = 'redis' } = {}): Promise<GuardedServer> {
  const [mode] = redis.modes;
  const server = await redis.start({ namespace, name, setup: mode.setup });
  return {
    connect: server.connect,
    policy: (options) => server.policy(mode, options),
    // Sessions are the guard's own, too: what outlives them are the settings.
    held: async () => (await server.held()).filter((each) => each.includes(' is ')),
  };
}

async function startGuardedMongo(namespace: string, { name = 'mongo', locksOut = false } = {}): Promise<GuardedServer> {
  const server = await startMongo({ namespace, name, lockBlocksLogin: locksOut });
  // Logged in before anything is locked.
  const admin = await server.connect();
  return {
    connect: server.connect,
    policy: (options) => applyMongoPolicy(server, { database: options.name, ...options }),
    held: async () => ((await admin.command({ currentOp: 1 })).fsyncLock === true ? ['fsyncLock'] : []),
  };
}
