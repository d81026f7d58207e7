/** Records as YAML files in a folder, one each. */
import { createHash } from 'node:crypto';
import { watch } from 'node:fs';
import { access, link, mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { type BackupId, type BackupRecord, isLost, RECORD, recordName, validate } from '../../src/contract';
import { Channel } from '../channel';
import { StillpointError } from '../errors';
import { byName } from '../listing';
import { takeLockFile } from '../local/lock-file';
import type { Log, RecordFilter, RecordSummary, Registry, StoredRecord, UseMark } from '../ports';
import { mayHold } from '../record';
import { markInUse, usesOf } from './directory-uses';

const SUFFIX = '.yaml';
/** A change takes milliseconds; whoever holds the lock of a record for longer than this is stuck. */
const LOCK_TRIES = 100;
const LOCK_RETRY_MS = 20;

export class DirectoryRegistry implements Registry {
  readonly #directory: string;
  readonly #log: Log;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  async create(record: BackupRecord): Promise<StoredRecord> {
    const path = this.#pathOf(record.namespace, record.database, record.id);
    await this.#usable(() => mkdir(this.#directory, { recursive: true }));
    const partial = await this.#writePartial(path, record);
    try {
      // Unlike a rename, a link never replaces what is there.
      await link(partial, path);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      throw new StillpointError('id-taken', `there is a record ${path} already`, {
        hint: 'two backups of this database were asked for in the same second: start one of them again',
      });
    } finally {
      await unlink(partial);
    }
    return stored(record, stringify(record));
  }

  async update(before: StoredRecord, record: BackupRecord): Promise<StoredRecord> {
    const path = this.#pathOf(record.namespace, record.database, record.id);
    await this.#exchange(before, path, async () => rename(await this.#writePartial(path, record), path));
    return stored(record, stringify(record), before.uses);
  }

  async get(namespace: string, database: string, id: BackupId): Promise<StoredRecord | undefined> {
    return await this.#read(this.#pathOf(namespace, database, id));
  }

  async list(filter: RecordFilter): Promise<readonly StoredRecord[]> {
    if (filter.selector !== undefined) {
      throw new StillpointError('usage-invalid', `records in a folder have no labels to select by: ${filter.selector}`);
    }
    const names = await readdir(this.#directory).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') throw this.#missing();
      throw this.#unusable(cause);
    });
    const found = await Promise.all(names.filter(isRecordFile).map((name) => this.#readable(name, names)));
    return found
      .filter((one) => one !== undefined)
      .filter(({ record }) => matches(record, filter))
      .sort((one, other) => other.record.id.localeCompare(one.record.id));
  }

  async *pages(filter: RecordFilter): AsyncGenerator<readonly StoredRecord[]> {
    yield [...(await this.list(filter))].sort((one, other) => byName(one.record, other.record));
  }

  async *summaries(filter: RecordFilter): AsyncGenerator<readonly RecordSummary[]> {
    for await (const page of this.pages(filter))
      yield page.map(({ record }) => (isLost(record) ? { ...record, missing: true } : record));
  }

  async remove(before: StoredRecord): Promise<void> {
    const { namespace, database, id } = before.record;
    const path = this.#pathOf(namespace, database, id);
    await this.#exchange(before, path, () => rm(path));
  }

  /** Marks a record that is as the caller has seen it; answers with what takes the mark away. */
  async use(before: StoredRecord, what: string): Promise<() => Promise<void>> {
    const { namespace, database, id } = before.record;
    const path = this.#pathOf(namespace, database, id);
    let end: (() => Promise<void>) | undefined;
    await this.#exchange(before, path, async () => {
      end = await markInUse(path, what);
    });
    return async () => await end?.();
  }

  /** Without its file nothing would know of its snapshots. */
  deletionCommand(): undefined {
    return undefined;
  }

  follow(
    name: { readonly namespace: string; readonly database: string; readonly id: BackupId },
    signal: AbortSignal,
  ): AsyncIterable<StoredRecord | undefined> {
    const path = this.#pathOf(name.namespace, name.database, name.id);
    const channel = new Channel<StoredRecord | undefined>();
    let last: string | undefined = 'not read yet';
    // One after the other, so that no older state overtakes a newer one.
    let reading = Promise.resolve();
    const look = (): void => {
      reading = reading
        .then(() => this.#read(path))
        .then((found) => {
          if (found?.version === last) return;
          last = found?.version;
          channel.push(found);
        })
        .catch((error: unknown) => channel.fail(error));
    };
    this.#usable(() => access(this.#directory)).then(
      () => {
        const watcher = watch(this.#directory, { signal }, look);
        watcher.on('error', (error) => channel.fail(error));
        look();
      },
      (error: unknown) => channel.fail(error),
    );
    signal.addEventListener('abort', () => channel.end(), { once: true });
    return channel;
  }

  /** Changes a record only when it is what the caller has seen: compared and changed under a lock of the record's own. */
  async #exchange(before: StoredRecord, path: string, change: () => Promise<void>): Promise<void> {
    const lock = await this.#lock(`${path}.lock`);
    try {
      const now = await this.#read(path);
      if (now?.version !== before.version) {
        throw new StillpointError(
          'record-conflict',
          `record ${path} was changed or removed by somebody else meanwhile`,
        );
      }
      await change();
    } finally {
      await lock.release();
    }
  }

  async #lock(path: string): Promise<{ readonly release: () => Promise<void> }> {
    for (let tries = 0; tries < LOCK_TRIES; tries++) {
      const taken = await this.#usable(() => takeLockFile(path, `process ${process.pid}`));
      if ('release' in taken) return taken;
      await delay(LOCK_RETRY_MS);
    }
    throw new StillpointError('record-conflict', `${path} is held by another process`, {
      hint: `remove it if that process has nothing to do with Stillpoint`,
    });
  }

  /** Whole and durable before it gets its name. */
  async #writePartial(path: string, record: BackupRecord): Promise<string> {
    const partial = `${path}.${process.pid}.${performance.now()}`;
    const file = await this.#usable(() => open(partial, 'wx', 0o600));
    try {
      await file.writeFile(stringify(record));
      await file.sync();
    } finally {
      await file.close();
    }
    return partial;
  }

  /** One record that cannot be read does not hide the others. */
  async #readable(name: string, names: readonly string[]): Promise<StoredRecord | undefined> {
    try {
      return await this.#read(join(this.#directory, name), names);
    } catch (error) {
      this.#log.warn({ record: name }, (error as Error).message);
      return undefined;
    }
  }

  async #read(path: string, names?: readonly string[]): Promise<StoredRecord | undefined> {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw this.#unusable(cause as NodeJS.ErrnoException);
    }
    return stored(parseRecord(path, text), text, await usesOf(path, names));
  }

  #pathOf(namespace: string, database: string, id: BackupId): string {
    return join(this.#directory, `${recordName(namespace, database, id)}${SUFFIX}`);
  }

  async #usable<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw this.#missing();
      throw this.#unusable(cause as NodeJS.ErrnoException);
    }
  }

  #missing(): StillpointError {
    return new StillpointError('registry-not-found', `there is no folder ${this.#directory} for the records`, {
      hint: 'name the folder that backups were taken with, or take the first one',
    });
  }

  #unusable(cause: NodeJS.ErrnoException): StillpointError {
    return new StillpointError('directory-unusable', `folder ${this.#directory} cannot be used (${cause.code})`, {
      cause,
    });
  }
}

/** Documents of policies lie beside the records. */
function isRecordFile(name: string): boolean {
  return name.endsWith(SUFFIX) && !name.endsWith(`.policy${SUFFIX}`);
}

function parseRecord(path: string, text: string): BackupRecord {
  let document: unknown;
  try {
    document = parse(text);
  } catch (thrown) {
    throw unreadable(path, `is no YAML: ${(thrown as Error).message.split('\n')[0]}`);
  }
  const [problem] = validate(RECORD, document);
  if (problem !== undefined) throw unreadable(path, `does not fit: ${problem.path} ${problem.message}`);
  return document as BackupRecord;
}

/** Who begins or ends to use a backup changes its version: a removal that has not seen that fails. */
function stored(record: BackupRecord, text: string, uses: readonly UseMark[] = []): StoredRecord {
  const tokens = uses.map(({ token }) => token).sort();
  const version = createHash('sha256')
    .update([text, ...tokens].join('\n'))
    .digest('hex');
  return { record, version, deletionRequested: false, removalBegun: record.phase === 'deleting', uses };
}

function matches(record: BackupRecord, { namespace, database, id, engine, phases, held }: RecordFilter): boolean {
  return (
    (namespace === undefined || record.namespace === namespace) &&
    (database === undefined || record.database === database) &&
    (id === undefined || record.id === id) &&
    (engine === undefined || record.engine === engine) &&
    (phases === undefined || phases.includes(record.phase)) &&
    (held !== true || mayHold(record))
  );
}

function unreadable(path: string, why: string): StillpointError {
  return new StillpointError('record-unreadable', `record ${path} ${why}`, {
    hint: 'a newer Stillpoint may have written it: use that version to read it',
  });
}
