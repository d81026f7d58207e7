/** What tests of dumps run with: a stand-in tool, which is a real child process, and a store and records of their own. */
import { systemClock } from '../../../runner/clock';
import type { DumpContext } from '../../../runner/commands/dump';
import type { Engine } from '../../../runner/engine';
import type { Registry } from '../../../runner/ports';
import { openStore } from '../../../runner/storage';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { EngineDump } from '../../../runner/tools/tool';
import type { DumpConfig, StoreConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { scripted } from '../pipe/scripted-tool';

export const ID = '20261126041500';
export const CLOSING = '-- dump complete';
const GOOD = `console.log('CREATE TABLE t ();\\n${CLOSING}')`;

export interface Situation {
  readonly script?: string;
  readonly tools?: Partial<EngineDump>;
  readonly store?: (real: ObjectStore) => ObjectStore;
  readonly dump?: Partial<DumpConfig['spec']['dump']>;
  readonly signal?: AbortSignal;
  readonly jobUid?: string;
  readonly root?: string;
  readonly others?: () => Promise<readonly { close(): Promise<void> }[]>;
}

/** What a dump needs, with a stand-in for the engine; all the rest is real. */
export function dumpContext(
  { storage, registry, said }: { readonly storage: StoreConfig; readonly registry: Registry; readonly said: string[] },
  situation: Situation,
): DumpContext {
  const { script = GOOD, tools, store = (real) => real, dump, signal, jobUid, others, root = '/' } = situation;
  const engine = {
    name: 'postgres',
    open: async () => ({
      server: { version: '17.2', identity: { systemIdentifier: '42' }, settings: {} },
      close: async () => undefined,
      ...(others === undefined ? {} : { others }),
    }),
    dump: {
      versionOf: () => ({ program: process.execPath, args: ['-e', 'console.log("a tool of 17")'] }),
      unfit: () => undefined,
      dump: () => scripted(script, { closing: CLOSING }),
      ...tools,
    },
  } as unknown as Engine;
  const connection = { host: 'orders-db', port: 5432, usernameFile: '/user' };
  const config: DumpConfig = {
    apiVersion: 'stillpoint.dev/v1',
    kind: 'DumpConfig',
    metadata: { name: 'orders-dump', namespace: 'shop' },
    spec: {
      engine: 'postgres',
      database: 'orders-db',
      connection,
      dump: { compression: 'zstd', layout: 'stillpoint', image: 'postgres:17', ...dump },
      storage,
      registry: {},
    },
  };
  return {
    config,
    namespace: 'shop',
    engine,
    readTarget: async () => ({ connection, username: 'u', password: 'p', tls: undefined }),
    openStore: async () =>
      store(await openStore(storage, { clock: systemClock, random: Math.random, environment: {} })),
    platform: { checkAccess: async () => [], clusterUid: async () => 'cluster-1' },
    root,
    environment: process.env,
    run: { id: ID, owner: { jobUid: jobUid ?? 'job-1', pod: 'pod-1' }, trigger: 'scheduled', image: 'stillpoint:1' },
    registry,
    locks: { acquire: async () => ({ lost: new AbortController().signal, release: async () => undefined }) },
    events: { emit: async (type, reason, message) => void said.push(`${type} ${reason}: ${message}`) },
    clock: systemClock,
    log: new QuietLog(),
    signal: signal ?? new AbortController().signal,
    runnerVersion: 'test',
  };
}
