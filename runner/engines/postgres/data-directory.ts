/** Finds PostgreSQL's files on restored volumes, and makes sure that they are those of the record. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume } from '../../engine';
import { StillpointError } from '../../errors';
import { exists } from '../../restore/files';
import { movedPaths } from '../../restore/moved-paths';

/** How deep a data directory may lie in its volume: `pgdata`, `data/pgdata`, `pgroot/data`. */
const DEPTH = 3;

/** The data directory among restored files, with the owner that its server has to run as. */
export interface DataDirectory {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly major: number;
}

/** Finds it, first where the record says, else by its files. Throws restore-failed, or restore-differs when it is another. */
export async function findDataDirectory(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
): Promise<DataDirectory> {
  const volume = volumes.find(({ role }) => role === 'data');
  if (volume === undefined) throw failed('none of the mounted volumes has the role data');
  const path = await locate(volume, record);
  await checkIdentity(path, record);
  const owner = await stat(join(path, 'PG_VERSION'));
  const major = Number((await readFile(join(path, 'PG_VERSION'), 'utf8')).trim());
  return { path, uid: owner.uid, gid: owner.gid, major };
}

async function locate(volume: MountedVolume, record: BackupRecord): Promise<string> {
  for (const path of movedPaths(record.settings?.data_directory ?? '', volume, record)) {
    if (await isDataDirectory(path)) return path;
  }
  const found = await search(volume.path, DEPTH);
  const [only, another] = found;
  if (only === undefined) {
    throw failed(`there is no PostgreSQL data directory in ${volume.path} (volume ${volume.name})`);
  }
  if (another !== undefined) {
    throw failed(`there are several data directories in ${volume.path} (${found.join(', ')})`);
  }
  return only;
}

async function search(folder: string, depth: number): Promise<readonly string[]> {
  if (await isDataDirectory(folder)) return [folder];
  if (depth === 0) return [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const below = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => search(join(folder, entry.name), depth - 1));
  return (await Promise.all(below)).flat();
}

/** Every database's folder has a PG_VERSION; only the data directory has pg_control as well. */
async function isDataDirectory(path: string): Promise<boolean> {
  const there = await Promise.all([exists(join(path, 'PG_VERSION')), exists(join(path, 'global', 'pg_control'))]);
  return there.every(Boolean);
}

/** pg_control begins with the system identifier, eight bytes in the byte order of the machine: little-endian on all that run Kubernetes' images of PostgreSQL. */
async function checkIdentity(path: string, record: BackupRecord): Promise<void> {
  const control = await readFile(join(path, 'global', 'pg_control'));
  if (control.length < 8) throw failed(`${path}/global/pg_control is too short`);
  const found = control.readBigUInt64LE(0).toString();
  const expected = record.serverIdentity?.systemIdentifier;
  // The record of a bare handle knows of no server.
  if (found === expected || record.serverIdentity === undefined) return;
  throw new StillpointError(
    'restore-differs',
    `${path} holds the database cluster ${found}, the record says ${expected ?? 'nothing'}`,
    { hint: 'these volumes are not restored from this backup; nothing was changed on them' },
  );
}

/** A restore that cannot go on. */
export function failed(message: string, hint?: string): StillpointError {
  return new StillpointError('restore-failed', message, hint === undefined ? {} : { hint });
}
