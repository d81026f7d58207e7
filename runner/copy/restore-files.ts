/** A stored archive and its manifest → empty folders. Good only when both streams agree to their ends. */
import { readdir, statfs } from 'node:fs/promises';
import { type Extracted, extract, type FilledVolume } from '../archive/extract';
import { manifestLines } from '../archive/manifest';
import { entriesOf } from '../archive/tar-reader';
import { StillpointError } from '../errors';
import type { Passed } from '../pipe/pack';
import { logProgress } from '../pipe/progress';
import { type Opening, opened } from '../pipe/restore';
import type { Content } from '../pipe/stages';
import type { Clock, Log } from '../ports';
import type { CountedVolume } from './store-files';

/** A stored content, and all that is known of it. */
export interface StoredContent {
  readonly content: Content;
  readonly written: Passed;
  readonly opening: Opening;
}

export interface RestoreFilesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly user: { readonly uid: number; readonly gid: number };
}

/** What every new file system has. */
const OF_THE_FILE_SYSTEM = ['lost+found'];

/** Refuses a folder that holds anything (safety rule 12). Throws restore-exists and restore-failed. */
export async function refuseOccupied(volumes: readonly Pick<FilledVolume, 'name' | 'path'>[]): Promise<void> {
  for (const { name, path } of volumes) {
    const names = await readdir(path).catch((cause: NodeJS.ErrnoException) => {
      throw new StillpointError('restore-failed', `volume ${name} at ${path} cannot be read (${cause.code})`, {
        hint: 'the volume has to belong to the user of the pod: runAsUser',
        cause,
      });
    });
    const found = names.filter((each) => !OF_THE_FILE_SYSTEM.includes(each)).sort();
    if (found.length === 0) continue;
    const shown = `${found.slice(0, 5).join(', ')}${found.length > 5 ? ', …' : ''}`;
    throw new StillpointError('restore-exists', `volume ${name} at ${path} is not empty: ${shown}`, {
      hint: 'restore into a new claim',
    });
  }
}

/** A file system allots whole blocks: the usual size of one, in bytes. */
const BLOCK_BYTES = 4096;

/** What a volume needs at most for the blocks of its files, in bytes. Pure. */
export function roomFor({ entries, bytes }: Pick<CountedVolume, 'entries' | 'bytes'>): number {
  return bytes + entries * BLOCK_BYTES;
}

/** Refuses volumes with less room than what is going to be written there. Throws room-missing. */
export async function refuseSmall(
  volumes: readonly Pick<FilledVolume, 'name' | 'path'>[],
  counted: readonly CountedVolume[],
): Promise<void> {
  for (const { name, path } of volumes) {
    const wanted = counted.find((each) => each.name === name);
    if (wanted === undefined) continue;
    const { bavail, bsize } = await statfs(path);
    const free = bavail * bsize;
    if (free >= roomFor(wanted)) continue;
    throw new StillpointError(
      'room-missing',
      `volume ${name} has ${free} bytes free, and the copy takes up to ${roomFor(wanted)}: ${wanted.bytes} in ${wanted.entries} files and folders`,
      { hint: 'make the claim larger' },
    );
  }
}

/** Fills the volumes. Throws what {@link opened} and {@link extract} throw. */
export async function restoreFiles(
  volumes: readonly FilledVolume[],
  { archive, manifest }: { readonly archive: StoredContent; readonly manifest: StoredContent },
  options: RestoreFilesOptions,
): Promise<Extracted> {
  let written = 0;
  const wrote = (bytes: number): void => {
    written += bytes;
  };
  using _ = logProgress(options, 'restoring files', () => written, archive.written.plainBytes);
  const open = ({ content, written: of, opening }: StoredContent): Content => opened(content, of, opening);
  return await extract(entriesOf(open(archive)), manifestLines(open(manifest)), { ...options, volumes, wrote });
}
