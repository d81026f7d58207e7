/** Where the engine's tool works on an online backup, and where what is good of it goes. */
import type { BackupRecord, DumpConfig, RecordedObject } from '../../src/contract';
import { StillpointError } from '../errors';
import type { ObjectStore } from '../storage/object-store';
import { OnlineFiles } from './online-files';
import { OnlineUploads } from './online-uploads';

/** Which backup is meant. */
export type Named = Pick<BackupRecord, 'namespace' | 'database' | 'id'>;

/** The folders that the tool works in. */
export interface Work {
  readonly root: string;
  readonly backups: string;
  readonly reports: string;
  readonly temp: string;
}

export interface OnlinePlace {
  /** The folder whose room counts, where it is not that of the store. */
  readonly scratch?: string | undefined;
  /** Makes empty folders to work in. */
  work(of: Named): Promise<Work>;
  /** Removes what a backup has left of its work. */
  forget(of: Named): Promise<void>;
  /** Brings earlier files to where the tool looks for a chain. Throws config-invalid where they are not at hand. */
  linkInto(folder: string, keys: readonly string[]): Promise<void>;
  /** Makes a folder with nothing but those files, without a copy of them. */
  apart(work: Work, files: readonly string[]): Promise<string>;
  /** Makes a folder with nothing but copies of those files: what is written to them there does not reach the files. */
  copies(work: Work, files: readonly string[], signal: AbortSignal): Promise<string>;
  /** Removes a file or a folder of the work. */
  remove(path: string): Promise<void>;
  /** How a file is called in the store, below the backup's folder. */
  nameOf(file: string): string;
  /** Puts a file into the store, durably. */
  publish(file: string, key: string, signal: AbortSignal): Promise<RecordedObject>;
  /** What is free where the tool works, in bytes, for whoever is not root. */
  freeBytes(): Promise<number>;
  sizeOf(file: string): Promise<number>;
}

/** A volume keeps the files where the tool has written them; any other store gets them from a scratch volume. Throws config-invalid. */
export function placeOf(
  { storage, dump }: Pick<DumpConfig['spec'], 'storage' | 'dump'>,
  openStore: () => Promise<ObjectStore>,
): OnlinePlace {
  const { online, recipients } = dump;
  if (storage.kind === 'directory') {
    if (recipients === undefined) return new OnlineFiles(storage);
    throw invalid(
      'the files of an online backup on a volume are not encrypted',
      'leave recipients out, or take a bucket',
    );
  }
  if (online?.scratch === undefined) {
    throw invalid(`an online backup into a store of ${storage.kind} needs a volume to work in`, 'name it in scratch');
  }
  if (online.type !== 'full') {
    throw invalid(
      `a backup of the type ${online.type} goes on with files that lie in a store of ${storage.kind}`,
      'take full ones there, or a volume, where chains are linked: BackupStorage.volume',
    );
  }
  return new OnlineUploads(online.scratch, recipients, openStore);
}

function invalid(message: string, hint: string): StillpointError {
  return new StillpointError('config-invalid', message, { hint });
}
