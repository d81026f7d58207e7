/** The one list of the kinds of object stores. Each is loaded when it is asked for: a backup by snapshots has none of them. */
import { STORE_PATIENCE_SECONDS, type StoreConfig, type StoreKind, storeProblem } from '../../src/contract';
import { StillpointError } from '../errors';
import type { ObjectStore } from './object-store';
import type { StoreContext } from './retrying';

type Open = (config: StoreConfig, context: StoreContext) => Promise<ObjectStore>;

const KINDS = {
  s3: async (config, context) => {
    const { openS3 } = await import('./s3');
    return await openS3(config, settingsOf(config, 's3'), context);
  },
  gcs: async (config, context) => {
    const { openGcs } = await import('./gcs');
    return openGcs(config, settingsOf(config, 'gcs'), context);
  },
  azure: async (config, context) => {
    const { openAzure } = await import('./azure');
    return await openAzure(config, settingsOf(config, 'azure'), context);
  },
  swift: async (config, context) => {
    const { openSwift } = await import('./swift');
    return openSwift(config, settingsOf(config, 'swift'), context);
  },
  directory: async (config) => {
    const { DirectoryStore } = await import('./directory');
    return new DirectoryStore(settingsOf(config, 'directory').path, config.prefix);
  },
} satisfies Record<StoreKind, Open>;

/** Opens a store. Throws when its credentials are not there; whether they are good shows when it is used. */
export async function openStore(config: StoreConfig, world: Omit<StoreContext, 'patienceMs'>): Promise<ObjectStore> {
  const problem = storeProblem(config);
  if (problem !== undefined) {
    throw new StillpointError('config-invalid', `the storage ${problem}`, {
      hint: 'synthesise it again with a version of the constructs that fits this runner',
    });
  }
  return await KINDS[config.kind](config, {
    ...world,
    patienceMs: (config.patienceSeconds ?? STORE_PATIENCE_SECONDS) * 1000,
  });
}

function settingsOf<K extends StoreKind>(config: StoreConfig, kind: K): NonNullable<StoreConfig[K]> {
  const settings = config[kind];
  if (settings === undefined) throw new StillpointError('config-invalid', `the storage says nothing of ${kind}`);
  return settings;
}
