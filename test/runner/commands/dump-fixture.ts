/** Dumps into a folder, with the stand-in tool of dump-context.ts: what they leave in the store and on record, and how they fail. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type DumpContext, takeDump } from '../../../runner/commands/dump';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { BackupRecord, StoreConfig } from '../../../src/contract';
import { allBut } from '../../support/all-but';
import { QuietLog } from '../../support/quiet-log';
import { dumpContext, ID, type Situation } from './dump-context';

export const FOLDER = `stillpoint/shop/orders-db/${ID}`;

export const OBJECTS = ['dump.sql.zst', 'owner.yaml', 'record.yaml'].map((file) => `${FOLDER}/${file}`);

/** A store that does as the real one in all but this. */
export function putting(real: ObjectStore, put: ObjectStore['put']): ObjectStore {
  return allBut(real, { put });
}

export class Dumps implements AsyncDisposable {
  readonly said: string[] = [];

  private constructor(
    readonly folder: string,
    readonly registry: DirectoryRegistry,
  ) {}

  static async create(): Promise<Dumps> {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-dump-'));
    await mkdir(join(folder, 'store'));
    await mkdir(join(folder, 'records'));
    return new Dumps(folder, new DirectoryRegistry(join(folder, 'records'), new QuietLog()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  /** The files of the store. */
  async stored(): Promise<readonly string[]> {
    const entries = await readdir(join(this.folder, 'store'), { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(this.folder, 'store/').length))
      .sort();
  }

  async put(key: string, text: string): Promise<void> {
    const path = join(this.folder, 'store', key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  get storage(): StoreConfig {
    return { kind: 'directory', directory: { path: join(this.folder, 'store') } };
  }

  contextOf(situation: Situation): DumpContext {
    return dumpContext(this, situation);
  }

  take(situation: Situation = {}): Promise<BackupRecord> {
    return takeDump(this.contextOf(situation));
  }

  /** How a dump that fails ends: with its error, and with its record. */
  async failed(situation: Situation): Promise<{ readonly error: unknown; readonly record: BackupRecord }> {
    const error = await this.take(situation).then(
      () => 'it succeeded',
      (thrown: unknown) => thrown,
    );
    const found = await this.registry.get('shop', 'orders-db', ID);
    if (found === undefined) throw new Error('there is no record');
    return { error, record: found.record };
  }
}
