/**
 * The files of an online backup, on the volume that the tool itself writes to. It writes into a folder beside; what is good
 * then gets its name in the backup's own, and all else goes with the folder. Earlier files that a chain goes on with are
 * linked: each backup has all that it needs, and none is broken by the removal of another.
 */
import { createReadStream } from 'node:fs';
import { link } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RecordedObject, StoreConfig } from '../../src/contract';
import { StillpointError } from '../errors';
import { syncPath } from '../local/copy-tree';
import { Measure } from '../pipe/stages';
import { fullKey } from '../storage/keys';
import { dumpFolder } from './keys';
import type { Named, OnlinePlace, Work } from './online-place';
import { foldersIn, freeOf, removeAt, translated, WorkFiles } from './work-folders';

/** Finds the files of backups in a store that is a folder. Throws config-invalid for another store. */
export class OnlineFiles extends WorkFiles implements OnlinePlace {
  readonly #root: string;
  readonly #prefix: string | undefined;

  constructor({ kind, directory, prefix }: StoreConfig) {
    super();
    if (kind !== 'directory' || directory === undefined) {
      throw new StillpointError('config-invalid', `a store of ${kind} has no folder`);
    }
    this.#root = directory.path;
    this.#prefix = prefix;
  }

  pathOf(key: string): string {
    return join(this.#root, fullKey(this.#prefix, key));
  }

  /** On the same file system as the final folder. */
  async work(of: Named): Promise<Work> {
    await this.forget(of);
    return await foldersIn(this.#workOf(of));
  }

  async forget(of: Named): Promise<void> {
    await removeAt(this.#workOf(of));
  }

  /** Brings earlier files to where the tool looks for a chain, without a copy of them. */
  async linkInto(folder: string, keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const path = this.pathOf(key);
      await translated(path, () => link(path, join(folder, basename(key))));
    }
  }

  nameOf(file: string): string {
    return basename(file);
  }

  /** Gives a file its final name, durably, and reads it back for its digest. */
  async publish(file: string, key: string, signal: AbortSignal): Promise<RecordedObject> {
    const path = this.pathOf(key);
    await translated(path, async () => {
      await syncPath(file);
      await link(file, path);
      await syncPath(join(path, '..'));
    });
    const measure = new Measure();
    for await (const _ of measure.of(createReadStream(path, { signal })));
    const [bytes, sha256] = [measure.bytes, measure.sha256()];
    const location = pathToFileURL(path).href;
    return { key, location, bytes, sha256, plainBytes: bytes, plainSha256: sha256, compression: 'none' };
  }

  freeBytes(): Promise<number> {
    return freeOf(this.#root);
  }

  /** Beside the backup's own folder: what lies in that is restored, or removed, by its name. */
  #workOf(of: Named): string {
    return `${this.pathOf(dumpFolder('stillpoint', of).slice(0, -1))}.partial`;
  }
}
