/** Restores of online backups, with the stand-ins of online-standins.ts; the seed is really served, and fetched, over HTTP. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../runner/clock';
import type { RestoreDumpContext } from '../../../runner/commands/restore-dump-context';
import { restoreOnline } from '../../../runner/commands/restore-online';
import { unmarked } from '../../../runner/dump/source';
import { asStillpointError, type StillpointError } from '../../../runner/errors';
import type { Identity } from '../../../runner/pipe/age-keys';
import type { Log } from '../../../runner/ports';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { OnlineRestored } from '../../../runner/tools/online-restore';
import type { DumpRestoreConfig } from '../../../src/contract';
import { type Oddities, type SystemStandin, systemStandin } from '../../support/neo4j-system-standin';
import { FIRST, type OnlineStandins } from './online-standins';

type Online = NonNullable<DumpRestoreConfig['spec']['online']>;

/** How a restore differs from the usual one: of the only database of the first backup, under its own name. */
export interface Wanted extends Partial<Online> {
  readonly id?: string;
  readonly only?: string;
  readonly into?: string;
  readonly system?: SystemStandin;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly log?: Log;
  readonly identities?: readonly Identity[];
  /** Gets the key of each file of the backup that was read. */
  readonly read?: string[];
}

/** The server as it is when something is restored: customer1 has been lost. */
export const server = (oddities?: Oddities): SystemStandin =>
  systemStandin({ customer2: {}, system: { type: 'system' } }, { shop: 'customer2' }, oddities);

export async function restore(standins: OnlineStandins, wanted: Wanted = {}): Promise<OnlineRestored> {
  const { id = FIRST, only, into, system = server(), env, signal, log, identities, read = [], ...more } = wanted;
  const base = standins.contextOf({ system });
  const { scratch = join(standins.folder, 'scratch'), metadata = 'roles' } = more;
  const online: Online = { scratch, metadata, ...more };
  const context: RestoreDumpContext = {
    config: {
      apiVersion: base.config.apiVersion,
      kind: 'DumpRestoreConfig',
      metadata: { name: 'customer1-back', namespace: 'shop' },
      spec: {
        backup: { namespace: 'shop', database: 'graph', id },
        storage: standins.storage,
        registry: {},
        only,
        into,
        online,
      },
    },
    registry: standins.registry,
    uses: { begin: async (stored) => unmarked(stored.record) },
    readIdentities: async () => identities,
    engineNamed: async () => base.engine,
    readTarget: async () => ({
      connection: { host: '127.0.0.1', port: 7687, usernameFile: '/user' },
      username: 'u',
      password: 'p',
      tls: undefined,
    }),
    openStore: async () => {
      const store = await base.openStore();
      const get = store.get.bind(store);
      return Object.assign(store, {
        get: ((key, options) => {
          if (key.endsWith('.backup')) read.push(key);
          return get(key, options);
        }) satisfies ObjectStore['get'],
      });
    },
    events: base.events,
    root: '/',
    environment: standins.environment(env),
    clock: systemClock,
    log: log ?? base.log,
    signal: signal ?? base.signal,
  };
  return (await restoreOnline(context, online)).restored;
}

/** What it fails with. */
export const failure = async (standins: OnlineStandins, wanted: Wanted): Promise<StillpointError> => {
  const thrown: unknown = await restore(standins, wanted).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown === undefined) throw new Error('it did not fail');
  return asStillpointError(thrown);
};

export const scratch = (standins: OnlineStandins): Promise<readonly string[]> =>
  readdir(join(standins.folder, 'scratch'));
