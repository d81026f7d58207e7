/**
 * An archive → empty folders. Nothing is believed of it: each entry has to be the next one in the manifest, lies in a folder that
 * this archive has made itself, takes the place of nothing, and no link is ever followed.
 */
import { createHash } from 'node:crypto';
import { chmod, lchown, link, lstat, lutimes, mkdir, open, symlink } from 'node:fs/promises';
import { StillpointError } from '../errors';
import type { Log } from '../ports';
import type { Entry } from './entry';
import { type LinkedVolume, leadsWithin } from './links';
import { difference, type Listed, type ManifestLine } from './manifest';
import { type ReadEntry, refusedArchive } from './tar-reader';

/** A volume that is filled. */
export interface FilledVolume extends LinkedVolume {
  /** Where it is mounted now: an empty folder. */
  readonly path: string;
}

export interface ExtractOptions {
  readonly volumes: readonly FilledVolume[];
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Called with each piece that was written. */
  readonly wrote?: ((bytes: number) => void) | undefined;
  /** The user and group of this process. */
  readonly user: { readonly uid: number; readonly gid: number };
}

/** What came out of an archive. */
export interface Extracted {
  readonly files: number;
  readonly bytes: number;
}

/** Writes all that an archive holds. Throws archive-refused, stream-broken and restore-failed. */
export async function extract(
  entries: AsyncIterable<ReadEntry>,
  manifest: AsyncIterable<ManifestLine>,
  options: ExtractOptions,
): Promise<Extracted> {
  const lines = manifest[Symbol.asyncIterator]();
  try {
    return await extractListed(entries, lines, options);
  } finally {
    await lines.return?.();
  }
}

async function extractListed(
  entries: AsyncIterable<ReadEntry>,
  lines: AsyncIterator<ManifestLine>,
  options: ExtractOptions,
): Promise<Extracted> {
  const extraction = new Extraction(options);
  let [files, bytes] = [0, 0];
  for await (const { entry, content } of entries) {
    options.signal.throwIfAborted();
    const listed = await nextListed(lines);
    if (listed === undefined) throw refusedArchive(`${entry.path} is in no line of its manifest`);
    const differs = difference(entry, listed);
    if (differs !== undefined) throw refusedArchive(differs);
    await extraction.make(entry, listed, content);
    files += 1;
    bytes += entry.size;
  }
  const missing = await nextListed(lines);
  if (missing !== undefined) throw refusedArchive(`it ends before ${missing.path}, which is in its manifest`);
  await extraction.finish();
  return { files, bytes };
}

async function nextListed(lines: AsyncIterator<ManifestLine>): Promise<Listed | undefined> {
  for (;;) {
    const next = await lines.next();
    if (next.done === true) return undefined;
    if (!('skipped' in next.value)) return next.value;
  }
}

class Extraction {
  readonly #options: ExtractOptions;
  /** Made by this archive: they are folders, and no links that look like some. Their times are set last. */
  readonly #folders = new Map<string, Entry>();

  constructor(options: ExtractOptions) {
    this.#options = options;
  }

  async make(entry: Entry, listed: Listed, content: AsyncIterable<Uint8Array>): Promise<void> {
    const at = this.#placeOf(entry.path);
    try {
      if (entry.kind === 'directory') await this.#folder(entry, at);
      else if (entry.kind === 'file') await this.#file(entry, at, content, listed.sha256);
      else if (entry.kind === 'symlink') await this.#symlink(entry, at);
      else await this.#link(entry, at);
    } catch (thrown) {
      throw translate(thrown, at);
    }
  }

  /** The innermost first: what is made in a folder changes its times. */
  async finish(): Promise<void> {
    for (const [path, entry] of [...this.#folders].reverse()) {
      const at = this.#placeOf(path);
      try {
        if (path.includes('/')) await this.#attributes(entry, at);
        else await this.#root(entry, at);
      } catch (thrown) {
        throw translate(thrown, at);
      }
    }
  }

  async #folder(entry: Entry, at: string): Promise<void> {
    // The root of a volume is there.
    if (entry.path.includes('/')) await mkdir(at, { mode: 0o700 });
    if (this.#folders.has(entry.path)) throw refusedArchive(`${entry.path} is in it twice`);
    this.#folders.set(entry.path, entry);
  }

  async #file(entry: Entry, at: string, content: AsyncIterable<Uint8Array>, sha256: string | undefined): Promise<void> {
    const hash = createHash('sha256');
    await using file = await open(at, 'wx', 0o600);
    for await (const piece of content) {
      this.#options.signal.throwIfAborted();
      hash.update(piece);
      await file.writeFile(piece);
      this.#options.wrote?.(piece.length);
    }
    const found = hash.digest('hex');
    if (found !== sha256) {
      throw new StillpointError(
        'stream-broken',
        `${entry.path} has the sha256 ${found}, and ${sha256} in the manifest`,
      );
    }
    await this.#attributes(entry, at);
    await file.sync();
  }

  async #symlink(entry: Entry, at: string): Promise<void> {
    const { target = '' } = entry;
    if (!leadsWithin(entry.path, target, this.#options.volumes)) {
      throw refusedArchive(`${entry.path} is a link that leads out of the volumes, to ${target}`);
    }
    await symlink(target, at);
    await this.#owner(entry, at);
    const time = seconds(entry);
    await lutimes(at, time, time);
  }

  async #link({ path, target = '' }: Entry, at: string): Promise<void> {
    const first = this.#placeOf(target);
    if (!(await lstat(first)).isFile()) throw refusedArchive(`${path} is a link to ${target}, which is no file`);
    await link(first, at);
  }

  /** Whose it is before what may be done with it: a change of owner takes setuid away. */
  async #attributes(entry: Entry, at: string): Promise<void> {
    await this.#owner(entry, at);
    await chmod(at, entry.mode);
    const time = seconds(entry);
    await lutimes(at, time, time);
  }

  async #owner({ uid, gid }: Entry, at: string): Promise<void> {
    const { user } = this.#options;
    const now = await lstat(at);
    if (now.uid === uid && now.gid === gid) return;
    // Nobody but root gives files away.
    if (user.uid !== 0 && uid !== user.uid) {
      throw new StillpointError(
        'restore-failed',
        `${at} belongs to user ${uid} in the copy, and this runs as user ${user.uid}`,
        {
          hint: 'leave runAsUser out: the files are then given to their owners',
        },
      );
    }
    await lchown(at, uid, gid);
  }

  /** The top of a volume belongs to whoever made the file system: who may not change that leaves it. */
  async #root(entry: Entry, at: string): Promise<void> {
    const now = await lstat(at);
    const { user, log } = this.#options;
    if (user.uid === 0 || now.uid === user.uid) {
      await this.#attributes(entry, at);
      return;
    }
    const was = `user ${entry.uid}, mode ${entry.mode.toString(8)}`;
    log.warn(
      { at },
      `the top of volume ${entry.path} stays as it is, since it is not of user ${user.uid}: it was of ${was}`,
    );
  }

  /** Where an entry goes. Throws archive-refused when its name leads anywhere else than into a folder of this archive. */
  #placeOf(path: string): string {
    const [volume = '', ...parts] = path.split('/');
    const of = this.#options.volumes.find(({ name }) => name === volume);
    if (of === undefined) throw refusedArchive(`${path} is on no volume that is restored`);
    if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))) {
      throw refusedArchive(`${path} is no name of a file`);
    }
    const folder = [volume, ...parts.slice(0, -1)].join('/');
    if (parts.length > 0 && !this.#folders.has(folder)) throw refusedArchive(`${path} lies in no folder of it`);
    return [of.path, ...parts].join('/');
  }
}

/** To the microsecond, which is what Node sets; it cuts off what is below, so that half of one is put on top. */
function seconds({ mtimeNs }: Entry): number {
  return (Number(mtimeNs / 1000n) + 0.5) / 1e6;
}

function translate(thrown: unknown, at: string): unknown {
  if (thrown instanceof StillpointError || !(thrown instanceof Error) || !('syscall' in thrown)) return thrown;
  const code = 'code' in thrown ? `${thrown.code}` : thrown.message;
  if (code === 'EEXIST') return refusedArchive(`${at} is in it twice`);
  const hints: Readonly<Record<string, string>> = {
    ENOSPC: 'give the claim more room',
    EACCES: 'the volume has to belong to the user of the pod: runAsUser',
    EPERM: 'leave runAsUser out: the files are then given to their owners',
  };
  return new StillpointError('restore-failed', `${at} cannot be written (${code})`, {
    hint: hints[code] ?? 'look at the volume',
    cause: thrown,
  });
}
