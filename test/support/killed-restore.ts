/**
 * A runner in a process of its own, that restores a dump of PostgreSQL or Redis until it kills itself: when it has been given all of the
 * stored bytes but the last piece, or when it is about to give a file its name.
 */
import fs from 'node:fs/promises';
import { systemClock } from '../../runner/clock';
import { restoreDump } from '../../runner/commands/restore-dump';
import { unmarked } from '../../runner/dump/source';
import { ENGINES } from '../../runner/engines';
import { LogEvents } from '../../runner/local/events';
import { StoreRegistry } from '../../runner/registry/store';
import { openStore } from '../../runner/storage';
import type { ObjectStore } from '../../runner/storage/object-store';
import type { DumpRestoreConfig, StoreConfig } from '../../src/contract';
import { QuietLog } from './quiet-log';

/** What the process is told. */
export interface KilledRestore {
  readonly storage: StoreConfig;
  readonly backup: DumpRestoreConfig['spec']['backup'];
  readonly goal: Pick<DumpRestoreConfig['spec'], 'file' | 'only' | 'into'>;
  readonly server?: { readonly host: string; readonly port: number; readonly password: string } | undefined;
}

const told = JSON.parse(process.argv[2] ?? '{}') as KilledRestore;

async function dies(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return await new Promise(() => undefined);
}

fs.link = dies;

/** Has a store give a dump up to its last piece. */
function upToItsEnd(store: ObjectStore): ObjectStore {
  const get = store.get.bind(store);
  store.get = async (key, options) => {
    const content = await get(key, options);
    if (key.endsWith('record.yaml') || told.server === undefined) return content;
    return (async function* () {
      let last: Uint8Array | undefined;
      for await (const chunk of content) {
        if (last !== undefined) yield last;
        last = chunk;
      }
      await dies();
    })();
  };
  return store;
}

async function restoring(): Promise<void> {
  const { storage, backup, goal, server } = told;
  const [log, { signal }] = [new QuietLog(), new AbortController()];
  const store = upToItsEnd(await openStore(storage, { clock: systemClock, random: Math.random, environment: {} }));
  await restoreDump({
    config: {
      apiVersion: 'stillpoint.dev/v1',
      kind: 'DumpRestoreConfig',
      metadata: { name: 'restore' },
      spec: { backup, storage, ...goal, registry: {} },
    },
    registry: new StoreRegistry(store, { log, signal }),
    uses: { begin: async ({ record }) => unmarked(record) },
    engineNamed: (name) => ENGINES[name](),
    readTarget: async () => ({
      connection: { host: server?.host ?? '', port: server?.port ?? 1, usernameFile: '' },
      username: 'postgres',
      password: server?.password,
      tls: undefined,
    }),
    openStore: async () => store,
    readIdentities: async () => undefined,
    events: new LogEvents(log),
    root: undefined,
    environment: process.env,
    clock: systemClock,
    log,
    signal,
  });
}

restoring().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error}\n`);
    process.exit(1);
  },
);
