/** Removes what dumps have in their stores: by whoever has the credentials, or by asking who has. */
import { type BackupRecord, ownsData, type StoreConfig, storePlace } from '../../src/contract';
import { timeLimit } from '../abort';
import { asStillpointError, StillpointError } from '../errors';
import type { Clock, Log, Pruner, Registry, Remover, StoredRecord } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { discardObjects } from './discard';
import { keysOf } from './keys';
import { storeOf } from './record';

/** Each kind of backup by what it needs: snapshots by the API of the cluster, dumps by their stores. */
export function removerOf(snapshots: Remover, objects: Remover): Remover {
  const of = ({ record }: StoredRecord): Remover => (record.mode === 'dump' ? objects : snapshots);
  return {
    remove: (stored) => of(stored).remove(stored),
    removeLeftovers: (stored) => of(stored).removeLeftovers(stored),
  };
}

/** The stores that whoever removes can reach. */
export interface ReachedStores {
  readonly configs: readonly StoreConfig[];
  readonly open: (config: StoreConfig) => Promise<ObjectStore>;
}

/** Removes objects from the stores that it was told of. */
export class ObjectsRemover implements Remover {
  constructor(
    private readonly stores: ReachedStores,
    private readonly world: { readonly clock: Clock; readonly log: Log },
  ) {}

  async remove({ record }: StoredRecord): Promise<readonly string[]> {
    if (!hasOfItsOwn(record)) return [];
    const configs = this.#configsOf(record);
    if (configs.length === 0) {
      this.world.log.warn(
        { backup: record.id, store: record.storeName },
        `${record.storeName ?? 'the store'} is not among those that this prune was told of: name it in storages of the Registry`,
      );
      return placesOf(record);
    }
    return await discardObjects(record, () => this.#open(configs, record), this.world);
  }

  /** A dump that has succeeded has left nothing else: each attempt removes its own, or fails. */
  async removeLeftovers(): Promise<readonly string[]> {
    return [];
  }

  #configsOf(record: BackupRecord): readonly StoreConfig[] {
    const own = storeOf(record);
    return own === undefined ? [] : this.stores.configs.filter((config) => storePlace(config) === storePlace(own));
  }

  /** Where a login failed, a name is without the account. It fails again, with its own error, when something is asked for. */
  async #failureOf(store: ObjectStore): Promise<StillpointError | undefined> {
    using limit = timeLimit(this.world.clock, ASKED_MS, () => unanswered(store));
    try {
      for await (const _ of store.list('', limit)) break;
      return undefined;
    } catch (thrown) {
      return asStillpointError(thrown);
    }
  }

  /**
   * Credentials may say which account is meant: then what looks like the place may be another one, and holds nothing of ours. The
   * right one is that which has the name that the record has.
   */
  async #open(configs: readonly StoreConfig[], { storeName }: BackupRecord): Promise<ObjectStore> {
    const others: string[] = [];
    let failed: StillpointError | undefined;
    for (const config of configs) {
      const store = await this.stores.open(config);
      if (isStoreOf({ storeName }, config, store.name)) return store;
      if (storeName?.startsWith(`${store.name}, `) === true) failed ??= await this.#failureOf(store);
      others.push(store.name);
    }
    if (failed !== undefined) throw failed;
    throw new StillpointError(
      'store-refused',
      `the dump lies in ${storeName ?? 'a store without a name'}, and these credentials lead to ${others.join(', ')}`,
    );
  }
}

/** Whether the store that a config leads to is the one that a record names, where both are of one place. */
export function isStoreOf({ storeName }: Pick<BackupRecord, 'storeName'>, config: StoreConfig, name: string): boolean {
  // The folder of a volume is mounted elsewhere in each pod: its claim tells it from others.
  return config.kind === 'directory' || isNamed(name, storeName);
}

/** Names say more than they did: what an earlier version has written down is how they begin. */
function isNamed(name: string, recorded: string | undefined): boolean {
  return name === recorded || (recorded !== undefined && name.startsWith(`${recorded}, `));
}

function unanswered({ name }: ObjectStore): StillpointError {
  return new StillpointError('store-unreachable', `${name} took too long to answer`);
}

/** Whether anything in a store goes with a record: what an imported one names is another cluster's. */
function hasOfItsOwn(record: BackupRecord): boolean {
  return ownsData(record) && keysOf(record).length > 0;
}

/** What a record has in its store, for people. */
export function placesOf({ objects = [], ...record }: BackupRecord): readonly string[] {
  const located = objects.map(({ location }) => location);
  const others = keysOf(record).filter((key) => !objects.some((object) => object.key === key));
  return [...located, ...others.map((key) => `${key} in ${record.storeName ?? 'its store'}`)];
}

/** The pruner looks at every record of the registry before this one. */
const ASKED_MS = 120_000;

/** Has the pruner remove them: it is where the store can be reached, and has the credentials. */
export class AskingRemover implements Remover {
  constructor(
    private readonly pruner: Pruner,
    private readonly registry: Pick<Registry, 'follow'>,
    private readonly clock: Clock,
  ) {}

  async remove({ record, version }: StoredRecord): Promise<readonly string[]> {
    if (!hasOfItsOwn(record)) return [];
    await this.pruner.ask();
    using limit = timeLimit(this.clock, ASKED_MS, () => new StillpointError('wait-timeout', 'no prune has come'));
    for await (const now of this.registry.follow(record, limit.signal)) {
      if (now === undefined) return [];
      const { leftovers = [] } = now.record;
      if (now.version !== version && leftovers.length > 0) return leftovers;
    }
    return placesOf(record);
  }

  async removeLeftovers(): Promise<readonly string[]> {
    return [];
  }
}
