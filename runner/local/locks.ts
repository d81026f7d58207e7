import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StillpointError } from '../errors';
import type { Lease, Locks } from '../ports';
import { takeLockFile } from './lock-file';

/** Keeps two backups of one database on this machine apart, by a lock file in a folder. */
export class FileLocks implements Locks {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async acquire(name: string, holder: string): Promise<Lease> {
    const path = join(this.#directory, `${name}.lock`);
    const taken = await mkdir(this.#directory, { recursive: true })
      .then(() => takeLockFile(path, holder))
      .catch((cause: NodeJS.ErrnoException) => {
        throw new StillpointError('directory-unusable', `lock file ${path} cannot be made (${cause.code})`, { cause });
      });
    if ('heldBy' in taken) {
      throw new StillpointError('backup-in-progress', `${taken.heldBy} holds ${path}`, {
        hint: 'another backup of this database is at work; wait until it is done',
      });
    }
    // A living process keeps its file: nobody takes it over, so it is never lost.
    return { lost: new AbortController().signal, release: taken.release };
  }
}
