/**
 * The files of an online backup, on the volume that the tool itself writes to. It writes into a folder beside; what is good
 * then gets its name in the backup's own, and all else goes with the folder. Earlier files that a chain goes on with are
 * linked: each backup has all that it needs, and none is broken by the removal of another.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, rm, stat, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BackupRecord, RecordedObject, StoreConfig } from '../../src/contract';
import { StillpointError } from '../errors';
import { syncPath } from '../local/copy-tree';
import { fullKey } from '../storage/keys';
import { dumpFolder } from './keys';

type Named = Pick<BackupRecord, 'namespace' | 'database' | 'id'>;

/** Where an online backup works. */
export interface Work {
  readonly root: string;
  readonly backups: string;
  readonly reports: string;
  readonly temp: string;
}

/** Finds the files of backups in a store that is a folder. Throws config-invalid for another store. */
export class OnlineFiles {
  readonly #root: string;
  readonly #prefix: string | undefined;

  constructor({ kind, directory, prefix }: StoreConfig) {
    if (kind !== 'directory' || directory === undefined) {
      throw new StillpointError(
        'config-invalid',
        `an online backup is taken into a volume, and its store is of ${kind}`,
        {
          hint: "take BackupStorage.volume({ claimName: '…' })",
        },
      );
    }
    this.#root = directory.path;
    this.#prefix = prefix;
  }

  pathOf(key: string): string {
    return join(this.#root, fullKey(this.#prefix, key));
  }

  /** Makes an empty folder to work in: on the same file system as the final one. */
  async work(of: Named): Promise<Work> {
    await this.forget(of);
    const root = this.#workOf(of);
    const work = { root, backups: join(root, 'backups'), reports: join(root, 'reports'), temp: join(root, 'temp') };
    for (const folder of [work.backups, work.reports, work.temp])
      await translated(folder, () => mkdir(folder, { recursive: true }));
    return work;
  }

  /** Removes what a backup has left of its work. */
  async forget(of: Named): Promise<void> {
    const folder = this.#workOf(of);
    await translated(folder, () => rm(folder, { recursive: true, force: true }));
  }

  /** Brings earlier files to where the tool looks for a chain, without a copy of them. */
  async linkInto(folder: string, keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const path = this.pathOf(key);
      await translated(path, () => link(path, join(folder, basename(key))));
    }
  }

  /** Makes a folder in which a file is alone. */
  async alone({ root }: Work, file: string): Promise<string> {
    const folder = join(root, 'alone', basename(file));
    await translated(folder, async () => {
      await mkdir(folder, { recursive: true });
      await link(file, join(folder, basename(file)));
    });
    return folder;
  }

  /** Gives a file its final name, durably, and reads it back for its digest. */
  async publish(file: string, key: string, signal: AbortSignal): Promise<RecordedObject> {
    const path = this.pathOf(key);
    await translated(path, async () => {
      await syncPath(file);
      await link(file, path);
      await syncPath(join(path, '..'));
    });
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of createReadStream(path, { signal }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    const sha256 = hash.digest('hex');
    const location = pathToFileURL(path).href;
    return { key, location, bytes, sha256, plainBytes: bytes, plainSha256: sha256, compression: 'none' };
  }

  /** What is free on the volume, in bytes, for whoever is not root. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await translated(this.#root, () => statfs(this.#root));
    return bavail * bsize;
  }

  async sizeOf(file: string): Promise<number> {
    return (await translated(file, () => stat(file))).size;
  }

  /** Beside the backup's own folder: what lies in that is restored, or removed, by its name. */
  #workOf(of: Named): string {
    return `${this.pathOf(dumpFolder('stillpoint', of).slice(0, -1))}.partial`;
  }
}

async function translated<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new StillpointError('store-refused', `${path} could not be used for the backup (${code})`, {
      hint: 'the volume has to be writable, and of a file system that has hard links',
      cause,
    });
  }
}
