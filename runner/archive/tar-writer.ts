/**
 * Folders → the stream of an archive, in constant memory. What it holds, and what it leaves out, is told line by line as it comes.
 * The folders are copies that nobody writes to: whatever changes under the reader ends it.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { asStillpointError, StillpointError } from '../errors';
import type { Entry } from './entry';
import { type LinkedVolume, leadsWithin } from './links';
import type { ManifestLine } from './manifest';
import { END, encodeHeader, padding } from './tar-header';

/** A volume that goes into an archive. */
export interface ArchivedVolume extends LinkedVolume {
  /** Where it is mounted now. */
  readonly path: string;
}

const CHUNK_BYTES = 256 * 1024;

/** What every new file system has, at its top. */
const OF_THE_FILE_SYSTEM = 'lost+found';

/** The archive of all that lies on the volumes. Throws directory-unusable and stream-broken. */
export async function* archiveOf(
  volumes: readonly ArchivedVolume[],
  tell: (line: ManifestLine) => void,
): AsyncGenerator<Uint8Array, void> {
  const walk = new Walk(volumes, tell);
  for (const { name, path } of volumes) yield* walk.entries(name, path);
  yield END;
}

class Walk {
  /** Files of several names, by what they are: the first name has the content. */
  readonly #first = new Map<string, string>();

  constructor(
    private readonly volumes: readonly ArchivedVolume[],
    private readonly tell: (line: ManifestLine) => void,
  ) {}

  /** An entry and, of a folder, all that is below. */
  async *entries(path: string, at: string): AsyncGenerator<Uint8Array, void> {
    const stats = await read(at, () => lstat(at, { bigint: true }));
    if (stats.isDirectory()) {
      yield this.#listed({ ...entryOf(stats, path), kind: 'directory', size: 0 });
      for (const name of await this.#namesIn(path, at)) yield* this.entries(`${path}/${name}`, `${at}/${name}`);
      return;
    }
    if (stats.isSymbolicLink()) {
      const target = await read(at, () => readlink(at));
      if (!leadsWithin(path, target, this.volumes)) {
        this.tell({ path, skipped: `a link that leads to ${target}, which is outside of the volumes` });
        return;
      }
      yield this.#listed({ ...entryOf(stats, path), kind: 'symlink', size: 0, target });
      return;
    }
    if (!stats.isFile()) {
      this.tell({ path, skipped: otherKind(stats) });
      return;
    }
    const target = this.#otherName(stats, path);
    if (target === undefined) yield* this.#file(entryOf(stats, path), at);
    else yield this.#listed({ ...entryOf(stats, path), kind: 'link', size: 0, target });
  }

  async #namesIn(path: string, at: string): Promise<readonly string[]> {
    const names = await read(at, () => readdir(at, { encoding: 'buffer' }));
    const texts = names.map((name) => textOf(name, at));
    const isRoot = !path.includes('/');
    // In one order, wherever it runs.
    return texts.filter((name) => !isRoot || name !== OF_THE_FILE_SYSTEM).sort((one, other) => (one < other ? -1 : 1));
  }

  #otherName({ dev, ino, nlink }: BigIntStats, path: string): string | undefined {
    if (nlink < 2n) return undefined;
    const what = `${dev}:${ino}`;
    const first = this.#first.get(what);
    if (first === undefined) this.#first.set(what, path);
    return first;
  }

  async *#file(entry: Entry, at: string): AsyncGenerator<Uint8Array, void> {
    yield encodeHeader(entry);
    const hash = createHash('sha256');
    let bytes = 0;
    // Never through a link that has taken the file's place, and without waiting for a pipe.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    await using file = await read(at, () => open(at, flags));
    for (;;) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, entry.size - bytes + 1));
      const { bytesRead } = await read(at, () => file.read(chunk, 0, chunk.length, bytes));
      if (bytesRead === 0) break;
      bytes += bytesRead;
      if (bytes > entry.size) break;
      const piece = chunk.subarray(0, bytesRead);
      hash.update(piece);
      yield piece;
    }
    if (bytes !== entry.size) {
      throw new StillpointError(
        'stream-broken',
        `the file ${at} had ${entry.size} bytes, and changed while it was read`,
        {
          hint: 'what is copied has to be a copy that nobody writes to',
        },
      );
    }
    this.tell({ ...entry, sha256: hash.digest('hex') });
    yield Buffer.alloc(padding(bytes));
  }

  #listed(entry: Entry): Uint8Array {
    this.tell(entry);
    return encodeHeader(entry);
  }
}

function entryOf({ mode, uid, gid, size, mtimeNs }: BigIntStats, path: string): Entry {
  return {
    kind: 'file',
    path,
    mode: Number(mode & 0o7777n),
    uid: Number(uid),
    gid: Number(gid),
    mtimeNs,
    size: Number(size),
  };
}

function otherKind(stats: BigIntStats): string {
  if (stats.isSocket()) return 'a socket';
  return stats.isFIFO() ? 'a named pipe' : 'a device';
}

/** Archives name things in UTF-8: bytes that are none would come back as others. */
function textOf(name: Buffer, folder: string): string {
  const text = name.toString('utf8');
  if (Buffer.from(text).equals(name)) return text;
  throw new StillpointError('directory-unusable', `the folder ${folder} has a name in it that is no UTF-8: ${text}`, {
    hint: 'it cannot be archived so that it comes back under the same name',
  });
}

async function read<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? asStillpointError(cause).message;
    throw new StillpointError('directory-unusable', `${path} cannot be read (${code})`, {
      hint: code === 'EACCES' ? 'run the copy as the user whose files they are: runAsUser' : 'look at the volume',
      cause,
    });
  }
}
