/** Finds the server's files on restored volumes. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume } from '../../engine';
import { StillpointError } from '../../errors';
import { exists } from '../../restore/files';
import { movedPaths } from '../../restore/moved-paths';
import { isAppendOnly } from './recorded';

/** The server's folder among restored files, with the owner that its server has to run as. */
export interface DataDirectory {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
}

/** What the copy is started from, relative to the folder: the dump, or the manifest of the append-only files. */
export function startFile(record: BackupRecord): string {
  const { dbfilename = 'dump.rdb', appenddirname = '', appendfilename = '' } = record.settings ?? {};
  return isAppendOnly(record) ? join(appenddirname, `${appendfilename}.manifest`) : dbfilename;
}

/** Finds it where the record says. Throws restore-failed. */
export async function findDataDirectory(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
): Promise<DataDirectory> {
  const volume = volumes.find(({ role }) => role === 'data');
  if (volume === undefined) throw failed('none of the mounted volumes has the role data');
  const wanted = record.settings?.dir ?? '';
  const file = startFile(record);
  for (const path of [...movedPaths(wanted, volume, record), volume.path]) {
    if (!(await exists(join(path, file)))) continue;
    const { uid, gid } = await stat(join(path, file));
    return { path, uid, gid };
  }
  throw failed(`there is no ${file} in ${volume.path} (volume ${volume.name})`);
}

/** A restore that cannot go on. */
export function failed(message: string): StillpointError {
  return new StillpointError('restore-failed', message);
}
