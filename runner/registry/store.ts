/**
 * The records in a store, beside the dumps and as copies of those of snapshots: a bucket alone, without the cluster, is enough
 * to list and to check.
 */
import { BACKUP_ID_PATTERN, type BackupId, type BackupRecord, DUMP_LAYOUTS } from '../../src/contract';
import { copyBeside } from '../dump/copy';
import { RECORD_FILE } from '../dump/keys';
import { asStillpointError, StillpointError } from '../errors';
import { byName } from '../listing';
import type { Log, RecordFilter, RecordSummary, Registry, StoredRecord } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { readStoredCopy, storedCopies } from '../travel/stored-copies';

/** What the key of a record says. */
type Named = Pick<BackupRecord, 'namespace' | 'database' | 'id'>;

/** Reads only: who may change what a store holds are the policies and the pruner. */
export class StoreRegistry implements Registry {
  readonly #store: ObjectStore;
  readonly #log: Log;
  readonly #signal: AbortSignal;

  constructor(store: ObjectStore, { log, signal }: { readonly log: Log; readonly signal: AbortSignal }) {
    this.#store = store;
    this.#log = log;
    this.#signal = signal;
  }

  async get(namespace: string, database: string, id: BackupId): Promise<StoredRecord | undefined> {
    try {
      const record = await copyBeside(this.#store, { namespace, database, id }, this.#signal);
      return { record, version: record.times.finished ?? '', deletionRequested: false };
    } catch (thrown) {
      if (asStillpointError(thrown).code !== 'backup-not-found') throw thrown;
    }
    const copy = await readStoredCopy(this.#store, { namespace, database, id }, this.#signal);
    return copy && { record: copy.record, version: copy.exported.at, deletionRequested: false };
  }

  async list(filter: RecordFilter): Promise<readonly StoredRecord[]> {
    if (filter.selector !== undefined) {
      throw new StillpointError('usage-invalid', `records in a store have no labels to select by: ${filter.selector}`);
    }
    const found: StoredRecord[] = [];
    for await (const named of this.#named(filter)) {
      const stored = await this.#readable(named);
      if (stored !== undefined && matches(stored.record, filter)) found.push(stored);
    }
    return found.sort((one, other) => other.record.id.localeCompare(one.record.id));
  }

  async *pages(filter: RecordFilter): AsyncGenerator<readonly StoredRecord[]> {
    yield [...(await this.list(filter))].sort((one, other) => byName(one.record, other.record));
  }

  async *summaries(filter: RecordFilter): AsyncGenerator<readonly RecordSummary[]> {
    for await (const page of this.pages(filter)) yield page.map(({ record }) => record);
  }

  /** Which backups have a record, by the keys alone. */
  async *#named({ namespace, database, id }: RecordFilter): AsyncGenerator<Named> {
    for (const layout of DUMP_LAYOUTS) {
      const prefix = namespace === undefined ? `${layout}/` : `${layout}/${namespace}/`;
      for await (const page of this.#store.list(prefix, { signal: this.#signal })) {
        for (const { key } of page) {
          const named = namedBy(key);
          if (named === undefined || (database !== undefined && named.database !== database)) continue;
          if (id === undefined || named.id === id) yield named;
        }
      }
    }
    for await (const named of storedCopies(this.#store, this.#signal, namespace === undefined ? '' : `${namespace}/`)) {
      if (database !== undefined && named.database !== database) continue;
      if (id === undefined || named.id === id) yield named;
    }
  }

  /** One that cannot be read hides no other. */
  async #readable({ namespace, database, id }: Named): Promise<StoredRecord | undefined> {
    try {
      return await this.get(namespace, database, id);
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      if (code !== 'record-unreadable') throw thrown;
      this.#log.warn({ code }, message);
      return undefined;
    }
  }

  deletionCommand(): undefined {
    return undefined;
  }

  async create(): Promise<never> {
    throw this.#readOnly();
  }

  async update(): Promise<never> {
    throw this.#readOnly();
  }

  async remove(): Promise<never> {
    throw this.#readOnly();
  }

  // biome-ignore lint/correctness/useYield: it never comes to one
  async *follow(): AsyncGenerator<never> {
    throw this.#readOnly();
  }

  #readOnly(): StillpointError {
    return new StillpointError('usage-invalid', `the records in ${this.#store.name} are read, and not changed`);
  }
}

const KEY = new RegExp(`^(?:${DUMP_LAYOUTS.join('|')})/([^/]+)/([^/]+)/([^/]+)/${RECORD_FILE.replace('.', '\\.')}$`);

function namedBy(key: string): Named | undefined {
  const [, namespace, database, id] = KEY.exec(key) ?? [];
  if (namespace === undefined || database === undefined || id === undefined) return undefined;
  return new RegExp(BACKUP_ID_PATTERN).test(id) ? { namespace, database, id } : undefined;
}

function matches(record: BackupRecord, { engine, phases }: RecordFilter): boolean {
  return (engine === undefined || record.engine === engine) && (phases === undefined || phases.includes(record.phase));
}
