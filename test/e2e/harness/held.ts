/**
 * Servers as the tests of the dead man's switch see them: of each engine the mode in which a runner that is lost would
 * leave the most behind.
 */
import type { DatabaseBackupProps } from 'stillpoint';
import type { LedgerClient } from '../../ledger/writer';
import { has, holdingMode, LEADING_ENGINES, modesToLose } from '../engines';
import type { EngineAdapter, EngineMode } from '../engines/adapter';
import { MONGO_TITLE, startMongo } from './mongo';
import { applyMongoPolicy, type TestPolicy } from './policy';

/** What a test may say of its policy. */
export interface HeldPolicy extends Pick<DatabaseBackupProps, 'budget' | 'directCut'> {
  readonly name: string;
  readonly className?: string;
}

/** A server that backups hold. */
export interface HeldServer {
  readonly port: number;
  connect(): Promise<LedgerClient>;
  policy(options: HeldPolicy): Promise<TestPolicy>;
  /** What is in force of a backup now, and would be if nobody undid it, in words. */
  held(): Promise<readonly string[]>;
}

/** An engine, and how its server is held. */
export interface HeldEngine {
  readonly title: string;
  readonly name: string;
  /** Whether what is held outlives its session, so that a guard has to undo it. */
  readonly guarded: boolean;
  /** Whether its policies name their server and its login: tests of the guard change what they say of these. */
  readonly named: boolean;
  /** Whether a client's writes wait meanwhile. */
  readonly writesWait: boolean;
  /** `locksOut`: while it is held nobody new gets in, where there is a server that does so. */
  start(namespace: string, options?: { readonly name?: string; readonly locksOut?: boolean }): Promise<HeldServer>;
}

const MONGO: HeldEngine = {
  title: MONGO_TITLE,
  name: 'mongo',
  guarded: true,
  named: true,
  writesWait: true,
  start: startHeldMongo,
};

/** MongoDB as a server that lets nobody in while it is locked. */
export const HELD: readonly HeldEngine[] = [
  ...LEADING_ENGINES.filter(({ engine }) => engine.name !== 'mongodb').flatMap((adapter) =>
    modesToLose(adapter).map((mode) => heldEngine(adapter, mode)),
  ),
  MONGO,
];

/** The engines that a guard is needed for, with policies that name their server. */
export const GUARDED: readonly HeldEngine[] = HELD.filter(({ guarded, named }) => guarded && named);

function heldEngine(adapter: EngineAdapter, mode: EngineMode): HeldEngine {
  const guarded = adapter.engine.capabilities.freezeOutlivesSession;
  return {
    title: `${adapter.title}, mode ${mode.name}`,
    name: mode === holdingMode(adapter) ? adapter.name : `${adapter.name}-${mode.name}`,
    guarded,
    named: has(adapter, 'host') && has(adapter, 'login'),
    writesWait: mode.freezes === 'writes' || mode.freezes === 'everything',
    start: async (namespace, { name = adapter.name } = {}) => {
      const server = await adapter.start({ namespace, name, setup: mode.setup });
      const { port } = (await server.target()).connection;
      return {
        port,
        connect: server.connect,
        policy: (options) => server.policy(mode, options),
        // Sessions are the guard's own, too: what outlives them are the settings.
        held: async () => (await server.held()).filter((each) => !guarded || each.includes(' is ')),
      };
    },
  };
}

async function startHeldMongo(namespace: string, { name = 'mongo', locksOut = false } = {}): Promise<HeldServer> {
  const server = await startMongo({ namespace, name, lockBlocksLogin: locksOut });
  // Logged in before anything is locked.
  const admin = await server.connect();
  return {
    port: 27017,
    connect: server.connect,
    policy: (options) => applyMongoPolicy(server, { database: options.name, ...options }),
    held: async () => ((await admin.command({ currentOp: 1 })).fsyncLock === true ? ['fsyncLock'] : []),
  };
}
