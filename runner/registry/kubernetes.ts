/** Records as ConfigMaps in the registry's own namespace: `kubectl get -o yaml` shows what Stillpoint knows. */
import { type BackupId, type BackupRecord, COMPONENTS, FINALIZER, LABELS, recordName } from '../../src/contract';
import { Channel } from '../channel';
import { StillpointError } from '../errors';
import type { KubeClient } from '../kube/client';
import { isAlreadyThere, isConflict, isForbidden, isMissing } from '../kube/errors';
import { CONFIG_MAPS, type ConfigMap, NAMESPACES } from '../kube/objects';
import { watchObjects } from '../kube/watch';
import type { Clock, Log, RecordFilter, Registry, StoredRecord } from '../ports';
import { isWrittenAsDeleting, labelsOf, recordData, recordIn, recordObject } from './record-object';
import { usesOf } from './use-marks';

export class KubernetesRegistry implements Registry {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #clock: Clock;
  readonly #log: Log;
  /** What others have written on the objects (labels, annotations, finalizers) is kept at each update. */
  readonly #objects = new WeakMap<StoredRecord, ConfigMap>();

  constructor(client: KubeClient, options: { readonly namespace: string; readonly clock: Clock; readonly log: Log }) {
    this.#client = client;
    this.#namespace = options.namespace;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  async create(record: BackupRecord): Promise<StoredRecord> {
    const object = recordObject(record, this.#namespace);
    try {
      return this.#stored(await this.#allowed(() => this.#client.create(CONFIG_MAPS, object)), record);
    } catch (thrown) {
      if (isMissing(thrown)) throw this.#missing();
      if (!isAlreadyThere(thrown)) throw thrown;
      throw new StillpointError('id-taken', `there is a record ${this.#namespace}/${object.metadata.name} already`, {
        hint: 'two backups of this database were asked for in the same second: start one of them again',
      });
    }
  }

  async update(stored: StoredRecord, record: BackupRecord): Promise<StoredRecord> {
    const { metadata } = await this.#objectOf(stored);
    try {
      const updated = await this.#client.replace(CONFIG_MAPS, {
        metadata: { ...metadata, labels: { ...metadata.labels, ...labelsOf(record) }, resourceVersion: stored.version },
        ...recordData(record),
      });
      return this.#stored(updated, record);
    } catch (thrown) {
      if (isConflict(thrown) || isMissing(thrown)) throw this.#conflict(record);
      throw thrown;
    }
  }

  async get(namespace: string, database: string, id: BackupId): Promise<StoredRecord | undefined> {
    const name = recordName(namespace, database, id);
    const found = await this.#allowed(() => this.#client.get(CONFIG_MAPS, { namespace: this.#namespace, name }));
    return found === undefined ? undefined : this.#read(found);
  }

  async list(filter: RecordFilter): Promise<readonly StoredRecord[]> {
    const selection = { namespace: this.#namespace, labels: labelFilter(filter) };
    const { items } = await this.#allowed(() => this.#client.list(CONFIG_MAPS, selection));
    // A namespace that does not exist lists as empty.
    if (items.length === 0 && !(await this.#namespaceExists())) throw this.#missing();
    return items
      .flatMap((item) => this.#readable(item))
      .sort((one, other) => (one.record.id < other.record.id ? 1 : one.record.id > other.record.id ? -1 : 0));
  }

  async remove(stored: StoredRecord): Promise<void> {
    const { metadata, ...rest } = await this.#objectOf(stored);
    const { finalizers = [], name, namespace, uid } = metadata;
    const left = finalizers.filter((each) => each !== FINALIZER);
    try {
      const changed = { ...metadata, finalizers: left, resourceVersion: stored.version };
      await this.#client.replace(CONFIG_MAPS, { ...rest, metadata: changed });
    } catch (thrown) {
      if (isConflict(thrown)) throw this.#conflict(stored.record);
      if (!isMissing(thrown)) throw thrown;
    }
    if (!stored.deletionRequested) await this.#client.delete(CONFIG_MAPS, { name, namespace }, { uid });
  }

  /** The finalizer keeps it until the next prune: kubectl must not wait for that. */
  deletionCommand({ namespace, database, id }: BackupRecord): string {
    return `kubectl delete configmap -n ${this.#namespace} ${recordName(namespace, database, id)} --wait=false`;
  }

  follow(
    name: { readonly namespace: string; readonly database: string; readonly id: BackupId },
    signal: AbortSignal,
  ): AsyncIterable<StoredRecord | undefined> {
    const channel = new Channel<StoredRecord | undefined>();
    const fields = { 'metadata.name': recordName(name.namespace, name.database, name.id) };
    let there = false;
    const watcher = {
      seen: (object: ConfigMap) => {
        there = true;
        channel.push(this.#read(object));
      },
      gone: () => {
        there = false;
        channel.push(undefined);
      },
      listed: () => {
        if (!there) channel.push(undefined);
      },
    };
    watchObjects(this.#client, CONFIG_MAPS, { namespace: this.#namespace, fields }, watcher, {
      signal,
      clock: this.#clock,
    }).then(
      () => channel.end(),
      (thrown: unknown) => channel.fail(thrown),
    );
    return channel;
  }

  /** One record that cannot be read does not hide the others. */
  #readable(object: ConfigMap): StoredRecord[] {
    try {
      return [this.#read(object)];
    } catch (thrown) {
      this.#log.warn({ record: object.metadata.name }, (thrown as Error).message);
      return [];
    }
  }

  #read(object: ConfigMap): StoredRecord {
    return this.#stored(object, recordIn(object));
  }

  #stored(object: ConfigMap, record: BackupRecord): StoredRecord {
    const { resourceVersion = '', deletionTimestamp } = object.metadata;
    const deletionRequested = deletionTimestamp !== undefined;
    const stored = {
      record,
      version: resourceVersion,
      deletionRequested,
      removalBegun: isWrittenAsDeleting(object, record),
      uses: usesOf(object),
    };
    this.#objects.set(stored, object);
    return stored;
  }

  async #objectOf(stored: StoredRecord): Promise<ConfigMap> {
    const known = this.#objects.get(stored);
    if (known !== undefined) return known;
    const { namespace, database, id } = stored.record;
    const name = recordName(namespace, database, id);
    const found = await this.#client.get(CONFIG_MAPS, { namespace: this.#namespace, name });
    if (found === undefined) throw this.#conflict(stored.record);
    return found;
  }

  /** In a namespace that is not there the account has no rights either: what is missing is the namespace. */
  async #allowed<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (thrown) {
      if (isForbidden(thrown) && !(await this.#namespaceExists())) throw this.#missing();
      throw thrown;
    }
  }

  async #namespaceExists(): Promise<boolean> {
    try {
      return (await this.#client.get(NAMESPACES, { name: this.#namespace })) !== undefined;
    } catch (thrown) {
      // Without the right to look, an answer is what it seems to be.
      if (isForbidden(thrown)) return true;
      throw thrown;
    }
  }

  #missing(): StillpointError {
    return new StillpointError('registry-not-found', `there is no namespace ${this.#namespace} for the records`, {
      hint: 'apply the Registry construct once per cluster, or name the namespace that it was applied with',
    });
  }

  #conflict({ namespace, database, id }: BackupRecord): StillpointError {
    return new StillpointError(
      'record-conflict',
      `record ${recordName(namespace, database, id)} was changed or removed by somebody else meanwhile`,
    );
  }
}

function labelFilter({
  namespace,
  database,
  engine,
  phases,
  held,
}: RecordFilter): Record<string, string | readonly string[]> {
  return {
    [LABELS.component]: COMPONENTS.record,
    ...(namespace === undefined ? {} : { [LABELS.namespace]: namespace }),
    ...(database === undefined ? {} : { [LABELS.database]: database }),
    ...(engine === undefined ? {} : { [LABELS.engine]: engine }),
    ...(phases === undefined ? {} : { [LABELS.phase]: phases }),
    ...(held === true ? { [LABELS.held]: 'true' } : {}),
  };
}
