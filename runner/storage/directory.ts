/**
 * Objects as files of a folder: a mounted volume, or a folder of this machine. A file gets its name when all of it is
 * durable; before, it is a hidden one beside.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Chunks } from '../chunks';
import { StillpointError } from '../errors';
import { syncPath } from '../local/copy-tree';
import { type Asked, failure } from './failures';
import { fullKey, fullPrefix, ownKey } from './keys';
import {
  type ByteRange,
  type CallOptions,
  type GetOptions,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  probeKey,
  type StoredObject,
} from './object-store';

const PARTIAL = /^\..+\.[0-9a-f-]{36}\.partial$/;
const PAGE = 1000;

export class DirectoryStore implements ObjectStore {
  readonly name: string;
  readonly #root: string;
  readonly #prefix: string | undefined;

  constructor(root: string, prefix?: string) {
    this.#root = root;
    this.#prefix = prefix;
    this.name = `folder ${root}`;
  }

  async put(key: string, content: AsyncIterable<Uint8Array>, { signal, replace }: PutOptions): Promise<StoredObject> {
    const path = this.#pathOf(key);
    const asked = this.#asked(`write ${key} in`, true);
    const partial = join(dirname(path), `.${basename(path)}.${randomUUID()}.partial`);
    await this.#translated(asked, () => stat(this.#root));
    try {
      const { bytes, checksum } = await this.#write(asked, partial, content, signal);
      signal.throwIfAborted();
      await this.#translated(asked, async () => {
        if (replace === true) await rename(partial, path);
        else await linkNew(partial, path);
        await syncPath(dirname(path));
      });
      const value = checksum.toString(16).padStart(8, '0');
      return { key, location: `file://${path}`, bytes, parts: 1, checksum: { algorithm: 'crc32', value } };
    } finally {
      await rm(partial, { force: true }).catch(() => undefined);
    }
  }

  async #write(
    asked: Asked,
    partial: string,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly checksum: number }> {
    const file = await this.#translated(asked, async () => {
      await mkdir(dirname(partial), { recursive: true });
      return await open(partial, 'wx', 0o600);
    });
    try {
      let bytes = 0;
      let checksum = 0;
      for await (const chunk of until(content, signal)) {
        await this.#translated(asked, () => file.writeFile(chunk));
        bytes += chunk.length;
        checksum = crc32(chunk, checksum);
      }
      await this.#translated(asked, () => file.sync());
      return { bytes, checksum };
    } finally {
      await file.close();
    }
  }

  async get(key: string, { signal, range }: GetOptions): Promise<AsyncIterable<Uint8Array>> {
    signal.throwIfAborted();
    const path = this.#pathOf(key);
    const asked = this.#asked(`read ${key} in`, true);
    const file = await this.#translated(asked, () => open(path, 'r'));
    return this.#read(asked, createReadStream(path, { fd: file, signal, ...bounds(range) }), signal);
  }

  async *#read(asked: Asked, stream: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    try {
      yield* stream;
    } catch (error) {
      signal.throwIfAborted();
      throw translate(asked, error);
    }
  }

  async head(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    signal.throwIfAborted();
    await this.#translated(this.#asked(`look for ${key} in`), () => stat(this.#root));
    return await this.#info(this.#pathOf(key));
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<readonly ObjectInfo[], void> {
    const asked = this.#asked('list');
    await this.#translated(asked, () => stat(this.#root));
    const wanted = fullPrefix(this.#prefix, prefix);
    let page: ObjectInfo[] = [];
    for await (const path of this.#files(asked, '', wanted, signal)) {
      if (PARTIAL.test(basename(path))) continue;
      const info = await this.#info(join(this.#root, path));
      if (info !== undefined) page.push(info);
      if (page.length < PAGE) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  async delete(keys: readonly string[], { signal }: CallOptions): Promise<void> {
    const asked = this.#asked('delete from');
    await this.#translated(asked, () => stat(this.#root));
    for (const key of keys) {
      signal.throwIfAborted();
      await this.#remove(this.#asked(`delete ${key} from`), this.#pathOf(key));
    }
  }

  async mayPut({ signal }: CallOptions): Promise<void> {
    const key = probeKey();
    await this.put(key, nothing(), { signal });
    await this.delete([key], { signal });
  }

  async abandon(prefix: string, { signal }: CallOptions): Promise<number> {
    const asked = this.#asked('remove abandoned uploads from');
    await this.#translated(asked, () => stat(this.#root));
    const wanted = fullPrefix(this.#prefix, prefix);
    let removed = 0;
    for await (const path of this.#files(asked, '', wanted, signal)) {
      if (!PARTIAL.test(basename(path))) continue;
      await this.#remove(asked, join(this.#root, path));
      removed += 1;
    }
    return removed;
  }

  /** The paths below a folder, in the order of their keys: `a-b` comes before `a/b`. Hidden ones go by what they are of. */
  async *#files(asked: Asked, folder: string, prefix: string, signal: AbortSignal): AsyncGenerator<string, void> {
    signal.throwIfAborted();
    const entries = await this.#translated(asked, () =>
      readdir(join(this.#root, folder), { withFileTypes: true }).catch(nothingThere),
    );
    const named = entries.map((entry) => ({ entry, sort: entry.isDirectory() ? `${entry.name}/` : entry.name }));
    for (const { entry, sort } of named.sort((a, b) => (a.sort < b.sort ? -1 : 1))) {
      const path = join(folder, entry.name);
      const compared = PARTIAL.test(entry.name) ? join(folder, entry.name.slice(1)) : join(folder, sort);
      if (entry.isDirectory()) {
        const below = `${path}/`;
        if (below.startsWith(prefix) || prefix.startsWith(below)) yield* this.#files(asked, path, prefix, signal);
      } else if (entry.isFile() && compared.startsWith(prefix)) yield path;
    }
  }

  /** Folders that are empty then go too: as in a bucket, there are none without objects. */
  async #remove(asked: Asked, path: string): Promise<void> {
    await this.#translated(asked, () => unlink(path).catch(nothingThere));
    for (let folder = dirname(path); folder !== this.#root; folder = dirname(folder)) {
      if (
        !(await rmdir(folder)
          .then(() => true)
          .catch(() => false))
      )
        return;
    }
  }

  async #info(path: string): Promise<ObjectInfo | undefined> {
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    if (found?.isFile() !== true) return undefined;
    const key = ownKey(this.#prefix, path.slice(this.#root.length + 1));
    return { key, bytes: Number(found.size), version: `${found.ino}-${found.mtimeNs}`, modified: found.mtime };
  }

  #pathOf(key: string): string {
    return join(this.#root, fullKey(this.#prefix, key));
  }

  #asked(what: string, ofObject = false): Asked {
    return { what, store: this.name, ofObject };
  }

  async #translated<T>(asked: Asked, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (asked.ofObject === true && codeOf(error) === 'ENOENT')
        await this.#translated({ ...asked, ofObject: false }, () => stat(this.#root));
      throw translate(asked, error);
    }
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

/** Codes of file systems that have no hard links, as SMB's. */
const NO_LINKS = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EPERM', 'EMLINK']);

/** A name that nothing has yet. Without hard links two who take one name in the same instant are not told apart. */
async function linkNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!NO_LINKS.has(codeOf(error))) throw error;
    const taken = await stat(to).then(
      () => true,
      () => false,
    );
    if (taken) throw Object.assign(new Error('taken'), { code: 'EEXIST' });
    await rename(from, to);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}

function nothingThere(error: unknown): never[] {
  if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
  throw error;
}

const CODES: Readonly<Record<string, ConstructorParameters<typeof StillpointError>[0]>> = {
  EACCES: 'store-denied',
  EPERM: 'store-denied',
  EROFS: 'store-denied',
  EEXIST: 'object-exists',
};

function translate(asked: Asked, error: unknown): unknown {
  if (error instanceof StillpointError) return error;
  const code = codeOf(error);
  const missing = asked.ofObject === true ? 'object-not-found' : 'bucket-not-found';
  return failure(
    code === 'ENOENT' ? missing : (CODES[code] ?? 'store-refused'),
    asked,
    `cannot ${asked.what} ${asked.store}: ${code}`,
    error,
  );
}

/** As createReadStream counts: the last byte is in it. */
function bounds(range: ByteRange | undefined): { readonly start?: number; readonly end?: number } {
  if (range === undefined) return {};
  return { start: range.start, ...(range.end === undefined ? {} : { end: range.end - 1 }) };
}

/** A content, as long as the signal lets it. */
async function* until(content: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  await using chunks = new Chunks(content, signal);
  while (await chunks.more()) yield chunks.take(chunks.atHand.length);
}
