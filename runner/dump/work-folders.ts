/** What an engine's tool works with, on whatever volume. Every failure names the path. */
import { constants, createReadStream, createWriteStream } from 'node:fs';
import { copyFile, link, mkdir, mkdtemp, rm, stat, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StillpointError } from '../errors';
import type { Work } from './online-place';

/** Makes them in a folder. */
export async function foldersIn(root: string): Promise<Work> {
  const work = { root, backups: join(root, 'backups'), reports: join(root, 'reports'), temp: join(root, 'temp') };
  for (const folder of [work.backups, work.reports, work.temp])
    await translated(folder, () => mkdir(folder, { recursive: true }));
  return work;
}

/** A file, or a folder with all that is in it. */
export async function removeAt(path: string): Promise<void> {
  await translated(path, () => rm(path, { recursive: true, force: true }));
}

/** The files of a backup's work. */
export class WorkFiles {
  /** A folder with nothing but those files, without a copy of them. */
  async apart({ root }: Pick<Work, 'root'>, files: readonly string[]): Promise<string> {
    const folder = await newFolderIn(root);
    for (const file of files) await translated(file, () => link(file, join(folder, basename(file))));
    return folder;
  }

  /** A folder with nothing but copies of those files; by reflink where the file system can. */
  async copies({ root }: Pick<Work, 'root'>, files: readonly string[], signal: AbortSignal): Promise<string> {
    const folder = await newFolderIn(root);
    for (const file of files) await translated(file, () => copied(file, join(folder, basename(file)), signal));
    return folder;
  }

  remove(path: string): Promise<void> {
    return removeAt(path);
  }

  async sizeOf(file: string): Promise<number> {
    return (await translated(file, () => stat(file))).size;
  }
}

/** A large one takes long where its blocks are not shared, and a stop does not wait for its end. */
async function copied(from: string, to: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const shared = await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    () => false,
  );
  if (shared) return;
  await pipeline(createReadStream(from), createWriteStream(to), { signal });
}

function newFolderIn(root: string): Promise<string> {
  return translated(root, () => mkdtemp(join(root, 'apart-')));
}

/** What is free there, in bytes, for whoever is not root. */
export async function freeOf(folder: string): Promise<number> {
  const { bavail, bsize } = await translated(folder, () => statfs(folder));
  return bavail * bsize;
}

export async function translated<T>(path: string, work: () => Promise<T>): Promise<T> {
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
