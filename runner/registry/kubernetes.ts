/** Records as ConfigMaps in the registry's own namespace: `kubectl get -o yaml` shows what Stillpoint knows. */
import { type BackupId, type BackupRecord, COMPONENTS, FINALIZER, LABELS, recordName } from '../../src/contract';
import { Channel } from '../channel';
import { StillpointError } from '../errors';
import type { KubeClient, ListResult, Selection } from '../kube/client';
import { isAlreadyThere, isConflict, isForbidden, isMissing } from '../kube/errors';
import { base64, CONFIG_MAPS, type ConfigMap, NAMESPACES, SECRETS } from '../kube/objects';
import type { KubeObject } from '../kube/resource';
import { watchObjects } from '../kube/watch';
import type { Clock, Log, RecordFilter, RecordSummary, Registry, StoredRecord } from '../ports';
import { mayHold } from '../record';
import { isWrittenAsDeleting, labelsOf, recordData, recordIn, recordObject, summaryOf } from './record-object';
import { usesOf } from './use-marks';

/** A record that is read takes some twenty times its text. */
const RECORDS_A_PAGE = 100;

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
    const found: StoredRecord[] = [];
    for await (const page of this.pages(filter)) found.push(...page);
    return found.sort((one, other) => (one.record.id < other.record.id ? 1 : one.record.id > other.record.id ? -1 : 0));
  }

  async *pages(filter: RecordFilter): AsyncGenerator<readonly StoredRecord[]> {
    for await (const items of this.#listed(
      this.#client.pages(CONFIG_MAPS, this.#selection(filter), { pageSize: RECORDS_A_PAGE }),
    )) {
      const read = items.flatMap((item) => this.#readable(item)).filter(({ record }) => isInPhase(record, filter));
      // A label stays where what it said of the record was taken back.
      yield filter.held === true ? read.filter(({ record }) => mayHold(record)) : read;
    }
  }

  async *summaries(filter: RecordFilter): AsyncGenerator<readonly RecordSummary[]> {
    for await (const items of this.#listed(this.#client.metadataPages(CONFIG_MAPS, this.#selection(filter)))) {
      yield items.flatMap((item) => summaryOf(item) ?? []).filter((summary) => isInPhase(summary, filter));
    }
  }

  #selection(filter: RecordFilter): Selection {
    return { namespace: this.#namespace, labels: labelFilter(filter), selector: filter.selector };
  }

  async *#listed<T extends KubeObject>(pages: AsyncIterable<ListResult<T>>): AsyncGenerator<readonly T[]> {
    const iterator = pages[Symbol.asyncIterator]();
    let count = 0;
    for (;;) {
      const { done, value } = await this.#allowed(() => iterator.next());
      if (done === true) break;
      count += value.items.length;
      yield value.items;
    }
    // A namespace that does not exist lists as empty.
    if (count === 0 && !(await this.#namespaceExists())) throw this.#missing();
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

  /** Owned by the record: the cluster removes it when that is gone. */
  async keepSecret(stored: StoredRecord, values: Readonly<Record<string, string>>): Promise<string> {
    const { metadata } = await this.#objectOf(stored);
    const { name, namespace, uid = '' } = metadata;
    const labels = { ...metadata.labels, [LABELS.component]: COMPONENTS.kept };
    const owner = { apiVersion: 'v1', kind: CONFIG_MAPS.kind, name, uid };
    try {
      await this.#client.create(SECRETS, {
        metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels, ownerReferences: [owner] },
        type: 'Opaque',
        data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, base64(value)])),
      });
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
    }
    return name;
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
      hint: 'apply the Registry construct once per cluster, or name the namespace that it was applied with: --registry, or STILLPOINT_REGISTRY',
    });
  }

  #conflict({ namespace, database, id }: BackupRecord): StillpointError {
    return new StillpointError(
      'record-conflict',
      `record ${recordName(namespace, database, id)} was changed or removed by somebody else meanwhile`,
    );
  }
}

function isInPhase({ phase }: RecordSummary, { phases }: RecordFilter): boolean {
  return phases === undefined || phases.includes(phase);
}

function labelFilter({
  namespace,
  database,
  id,
  engine,
  phases,
  held,
}: RecordFilter): Record<string, string | readonly string[]> {
  return {
    [LABELS.component]: COMPONENTS.record,
    ...(namespace === undefined ? {} : { [LABELS.namespace]: namespace }),
    ...(database === undefined ? {} : { [LABELS.database]: database }),
    ...(id === undefined ? {} : { [LABELS.backup]: id }),
    ...(engine === undefined ? {} : { [LABELS.engine]: engine }),
    // What kubectl has deleted is `deleting` whatever its label still says.
    ...(phases === undefined || phases.includes('deleting') ? {} : { [LABELS.phase]: phases }),
    ...(held === true ? { [LABELS.held]: 'true' } : {}),
  };
}
