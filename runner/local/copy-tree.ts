/**
 * Copies a folder whose files change meanwhile, as a database's do: what vanishes is left out, what grows is copied as
 * long as it was. By reflink where the file system can (the blocks are shared until one side changes them).
 */
import { constants, type Stats } from 'node:fs';
import { chmod, copyFile, lchown, lstat, mkdir, open, readdir, readlink, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';

/** What to leave out, and what to keep for the end. */
export interface CopyOptions {
  /** Folders, as absolute paths, that become empty ones. */
  readonly without?: readonly string[];
  /** Ends of paths, as `global/pg_control`: these files are copied after all others. */
  readonly last?: readonly string[];
  /** Ends the copy between two files. */
  readonly signal: AbortSignal;
}

/** At once: more does not make a disk faster, and fewer leave it idle. */
const PARALLEL = 8;
const CHUNK_BYTES = 1024 * 1024;
/** A file of this size is read until two readings agree: a small one that is rewritten in place must not be torn. */
const STABLE_BYTES = 64 * 1024;
const STABLE_TRIES = 10;
/** What a file system answers that has no reflinks. */
const NO_REFLINK = new Set(['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY']);

/** Copies a folder to a path that does not exist yet. Owners are kept where that is allowed. */
export async function copyTree(source: string, target: string, options: CopyOptions): Promise<void> {
  const copy = new TreeCopy(options);
  await copy.folder(source, target);
  await copy.rest();
}

interface Copy {
  readonly from: string;
  readonly to: string;
}

class TreeCopy {
  readonly #options: CopyOptions;
  readonly #late: Copy[] = [];
  /** Folders get their times last: each file that is made in them changes these. */
  readonly #folders: (Copy & { readonly stats: Stats })[] = [];
  #reflinks = true;

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  async folder(from: string, to: string): Promise<void> {
    const stats = await lstat(from);
    await mkdir(to, { mode: 0o700 });
    this.#folders.push({ from, to, stats });
    if (this.#options.without?.includes(from) === true) return;
    const entries = (await readdir(from)).map((name) => ({ from: join(from, name), to: join(to, name) }));
    await inParallel(entries, (entry) => ifThere(() => this.#entry(entry)));
  }

  async rest(): Promise<void> {
    for (const file of this.#late) await ifThere(async () => this.#file(file, await lstat(file.from)));
    for (const { to, stats } of this.#folders.reverse()) await likeBefore(to, stats);
  }

  async #entry(entry: Copy): Promise<void> {
    this.#options.signal.throwIfAborted();
    const stats = await lstat(entry.from);
    if (stats.isDirectory()) await this.folder(entry.from, entry.to);
    else if (stats.isSymbolicLink()) await this.#link(entry, stats);
    else if (!stats.isFile()) return;
    else if (this.#options.last?.some((end) => entry.from.endsWith(`/${end}`)) === true) this.#late.push(entry);
    else await this.#file(entry, stats);
  }

  async #link({ from, to }: Copy, stats: Stats): Promise<void> {
    await symlink(await readlink(from), to);
    await ownedBy(to, stats);
  }

  async #file({ from, to }: Copy, stats: Stats): Promise<void> {
    if (stats.size <= STABLE_BYTES) await copyStable(from, to);
    else if (!this.#reflinks || !(await reflink(from, to))) {
      this.#reflinks = false;
      await copyBytes(from, to, this.#options.signal);
    }
    await likeBefore(to, stats);
  }
}

/** Whether the file system could share the blocks. */
async function reflink(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (NO_REFLINK.has((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

async function copyStable(from: string, to: string): Promise<void> {
  const source = await open(from, 'r');
  try {
    let content = await readAll(source);
    for (let tries = 1; tries < STABLE_TRIES; tries++) {
      const again = await readAll(source);
      if (again.equals(content)) break;
      content = again;
    }
    const target = await open(to, 'wx', 0o600);
    await target.writeFile(content).finally(() => target.close());
  } finally {
    await source.close();
  }
}

type Handle = Awaited<ReturnType<typeof open>>;

async function readAll(file: Handle): Promise<Buffer> {
  const buffer = Buffer.alloc((await file.stat()).size);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  return buffer.subarray(0, bytesRead);
}

/** Node's own copyFile goes by the size at the beginning, and never ends when a file has become shorter meanwhile. */
async function copyBytes(from: string, to: string, signal: AbortSignal): Promise<void> {
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'wx', 0o600);
    try {
      const { size } = await source.stat();
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size));
      for (let at = 0; at < size; ) {
        signal.throwIfAborted();
        const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, size - at), at);
        if (bytesRead === 0) break;
        await target.write(buffer, 0, bytesRead, at);
        at += bytesRead;
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** Makes everything below a folder, and the folder, durable. */
export async function syncTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  await inParallel(entries, async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncPath(path);
  });
  await syncPath(folder);
}

/** Makes one file, or the list of entries of one folder, durable. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  await file.sync().finally(() => file.close());
}

/** The bytes in a folder's files, as their lengths say. */
export async function sizeOfTree(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  let bytes = 0;
  await inParallel(entries, async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await sizeOfTree(path);
    else if (entry.isFile()) bytes += (await lstat(path).catch(() => undefined))?.size ?? 0;
  });
  return bytes;
}

async function likeBefore(path: string, stats: Stats): Promise<void> {
  await ownedBy(path, stats);
  await chmod(path, stats.mode & 0o7777);
  await utimes(path, stats.atimeMs / 1000, stats.mtimeMs / 1000);
}

/** Only root may give files away; anybody else's copies are their own. */
async function ownedBy(path: string, { uid, gid }: Stats): Promise<void> {
  if (process.getuid?.() === 0) await lchown(path, uid, gid);
}

async function ifThere(work: () => Promise<void>): Promise<void> {
  await work().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  // All workers have to end before the first failure is told: nobody may go on writing behind the caller's back.
  const ended = await Promise.allSettled(Array.from({ length: Math.min(PARALLEL, queue.length) }, worker));
  for (const outcome of ended) if (outcome.status === 'rejected') throw outcome.reason;
}
