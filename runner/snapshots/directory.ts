/**
 * Snapshots of folders as copies in another folder. Never atomic, reflinks or not: a folder is copied file by file.
 *
 *     <root>/<database>-<volume>-<id>/snapshot.yaml   what it is, and whose
 *     <root>/<database>-<volume>-<id>/files/          the copy
 */
import { access, constants, mkdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { ANNOTATIONS, type BackupRecord, type Cut, LABELS, snapshotName } from '../../src/contract';
import { StillpointError } from '../errors';
import { copyTree, sizeOfTree, syncPath, syncTree } from '../local/copy-tree';
import type { Clock, CutRequest, Finding, Log, SnapshotStore, Volume } from '../ports';

const DESCRIPTION = 'snapshot.yaml';
const FILES = 'files';
const PARTIAL = '.partial';

/** What lies beside a copy: the same labels and annotations that a VolumeSnapshot would carry. */
interface Description {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly volume: string;
  readonly source: string;
  readonly askedAt: string;
}

export class DirectorySnapshotStore implements SnapshotStore {
  readonly atomic = false;
  readonly #root: string;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Copies of this process that have not ended: they must before they can be discarded. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(root: string, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#root = resolve(root);
    this.#clock = clock;
    this.#log = log;
  }

  names(request: Pick<CutRequest, 'id' | 'database' | 'stamp' | 'volumes'>): readonly string[] {
    const { id, database, stamp = id, volumes } = request;
    return volumes.map(({ name }) => snapshotName(database, name, stamp));
  }

  async check(volumes: readonly Volume[], how: CutRequest['how']): Promise<readonly Finding[]> {
    const found: Finding[] = [];
    if (how === 'together') {
      found.push(this.#refusal('driver-unsafe', 'folders cannot be cut together at one instant'));
    }
    const within = volumes.find(({ claim }) => `${this.#root}/`.startsWith(`${claim}/`));
    if (within !== undefined) {
      return [
        ...found,
        this.#refusal('directory-unusable', `it lies inside the folder ${within.claim} of volume ${within.name}`),
      ];
    }
    return [...found, await this.#checkRoom(volumes)];
  }

  async #checkRoom(volumes: readonly Volume[]): Promise<Finding> {
    try {
      await mkdir(this.#root, { recursive: true });
      await access(this.#root, constants.R_OK | constants.W_OK);
      const outer = volumes.filter(({ claim }) => !volumes.some((other) => claim.startsWith(`${other.claim}/`)));
      const sizes = await Promise.all(outer.map(({ claim }) => sizeOfTree(claim)));
      const needed = sizes.reduce((sum, size) => sum + size, 0);
      const { bavail, bsize } = await statfs(this.#root);
      if (needed < bavail * bsize) {
        return {
          severity: 'ok',
          code: 'ok',
          subject: `folder ${this.#root}`,
          message: `it has room for ${needed} bytes`,
        };
      }
      return this.#refusal('directory-unusable', `it has ${bavail * bsize} bytes free, and the copies need ${needed}`);
    } catch (error) {
      return this.#refusal('directory-unusable', `it cannot be used (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  async cut(request: CutRequest, signal: AbortSignal): Promise<readonly Cut[]> {
    const copies = request.volumes.map((volume) => this.#copy(volume, request, signal));
    // All have to end, also when one has failed: what goes on cannot be removed.
    const outcomes = await Promise.allSettled(copies);
    return outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
  }

  #copy(volume: Volume, request: CutRequest, signal: AbortSignal): Promise<Cut> {
    const name = snapshotName(request.database, volume.name, request.stamp ?? request.id);
    const running = this.#copyFiles(name, volume, request, signal);
    this.#running.set(name, running);
    return running;
  }

  async #copyFiles(name: string, volume: Volume, request: CutRequest, signal: AbortSignal): Promise<Cut> {
    const askedAt = this.#clock.now().toISOString();
    const final = join(this.#root, name);
    const partial = final + PARTIAL;
    const description: Description = {
      labels: { ...request.labels, [LABELS.backup]: request.id, [LABELS.volume]: volume.name },
      annotations: request.annotations,
      volume: volume.name,
      source: volume.claim,
      askedAt,
    };
    try {
      await mkdir(this.#root, { recursive: true });
      await mkdir(partial, { mode: 0o700 });
      await writeFile(join(partial, DESCRIPTION), stringify(description), { mode: 0o600 });
      await copyTree(volume.claim, join(partial, FILES), {
        without: volume.nested ?? [],
        last: request.copyLast ?? [],
        signal,
      });
      await rename(partial, final);
    } catch (error) {
      signal.throwIfAborted();
      throw cutFailed(volume, final, error);
    }
    const cutAt = this.#clock.now().toISOString();
    const files = join(final, FILES);
    return {
      volume: volume.name,
      snapshot: name,
      handle: files,
      cutAt,
      seenBy: 'copy',
      driverKnown: true,
      askedAt,
      seenAt: cutAt,
    };
  }

  /** Durable is what makes a copy ready: the copying itself may end before a byte is on disk. */
  async ready(cuts: readonly Cut[], signal: AbortSignal): Promise<readonly Cut[]> {
    const done: Cut[] = [];
    for (const cut of cuts) {
      signal.throwIfAborted();
      const folder = join(this.#root, cut.snapshot);
      if ((await this.#describe(folder)) === undefined) {
        throw new StillpointError('cut-lost', `the copy ${folder} is gone`);
      }
      await syncTree(folder);
      const size = await sizeOfTree(join(folder, FILES));
      done.push({ ...cut, readyAt: this.#clock.now().toISOString(), restoreSize: String(size) });
    }
    if (cuts.length > 0) await syncPath(this.#root);
    return done;
  }

  async discard(owner: Parameters<SnapshotStore['discard']>[0]): Promise<readonly string[]> {
    const left = await Promise.all(owner.names.map((name) => this.#discardOne(name, owner)));
    return left.filter((name) => name !== undefined);
  }

  async #discardOne(
    name: string,
    owner: { readonly id: string; readonly jobUid: string },
  ): Promise<string | undefined> {
    await this.#running.get(name)?.catch(() => undefined);
    for (const folder of [join(this.#root, name), join(this.#root, name + PARTIAL)]) {
      const found = await this.#describe(folder);
      if (found === undefined) continue;
      if (found.labels[LABELS.backup] !== owner.id || found.annotations[ANNOTATIONS.jobUid] !== owner.jobUid) {
        this.#log.warn({ folder }, 'a copy of this name belongs to another backup, and stays');
        continue;
      }
      try {
        await rm(folder, { recursive: true, force: true });
      } catch (error) {
        this.#log.warn({ folder, code: (error as NodeJS.ErrnoException).code }, 'a copy could not be removed');
        return name;
      }
    }
    return undefined;
  }

  async find(record: BackupRecord): Promise<readonly Cut[]> {
    const found = await Promise.all(record.cuts.map(({ snapshot }) => this.#describe(join(this.#root, snapshot))));
    return record.cuts.filter((_, index) => {
      const description = found[index];
      return (
        description?.labels[LABELS.backup] === record.id &&
        description.annotations[ANNOTATIONS.jobUid] === record.owner.jobUid
      );
    });
  }

  async #describe(folder: string): Promise<Description | undefined> {
    try {
      return parse(await readFile(join(folder, DESCRIPTION), 'utf8')) as Description;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #refusal(code: 'driver-unsafe' | 'directory-unusable', what: string): Finding {
    const subject = `folder ${this.#root}`;
    return {
      severity: 'error',
      code,
      subject,
      message: `${subject} for snapshots: ${what}`,
      hint: 'set snapshots.directory to a folder with room, outside the folders of the database',
    };
  }
}

function cutFailed(volume: Volume, target: string, cause: unknown): StillpointError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EEXIST' || code === 'ENOTEMPTY') {
    return new StillpointError('id-taken', `there is a copy ${target} already`, { cause });
  }
  return new StillpointError(
    'cut-failed',
    `copying folder ${volume.claim} of volume ${volume.name} failed: ${message}`,
    {
      hint: 'look whether this user may read all of it, and whether there is room',
      cause,
    },
  );
}
