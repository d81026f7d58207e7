/** Finds MySQL's files on restored volumes, and makes sure that they are those of the record. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume } from '../../engine';
import { StillpointError } from '../../errors';
import { exists } from '../../restore/files';
import { movedPaths } from '../../restore/moved-paths';
import { dataDirectory } from './facts';

/** The data directory among restored files, with the owner that its server has to run as. */
export interface DataDirectory {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
}

/** The file in which MySQL keeps its server_uuid; MariaDB has none. */
export const AUTO_CNF = 'auto.cnf';

/** Finds it where the record says. Throws restore-failed, or restore-differs when it is another server's. */
export async function findDataDirectory(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
): Promise<DataDirectory> {
  const volume = volumes.find(({ role }) => role === 'data');
  if (volume === undefined) throw failed('none of the mounted volumes has the role data');
  const wanted = dataDirectory(record.settings ?? {});
  for (const path of [...movedPaths(wanted, volume, record), volume.path]) {
    if (!(await isDataDirectory(path))) continue;
    const { uid, gid } = await stat(join(path, 'ibdata1'));
    return { path, uid, gid };
  }
  throw failed(`there is no data directory of MySQL in ${volume.path} (volume ${volume.name})`);
}

async function isDataDirectory(path: string): Promise<boolean> {
  const there = await Promise.all([exists(join(path, 'ibdata1')), exists(join(path, 'mysql'))]);
  return there.every(Boolean);
}

/** MySQL names its server in a file of its own: it has to be the one of the record. */
export async function checkIdentity(path: string, record: BackupRecord): Promise<void> {
  const expected = record.serverIdentity?.serverUuid;
  if (expected === undefined) return;
  const file = join(path, AUTO_CNF);
  const text = await readFile(file, 'utf8').catch(() => '');
  const found = /^server-uuid=(.+)$/m.exec(text)?.[1]?.trim();
  if (found === expected) return;
  throw new StillpointError(
    'restore-differs',
    `${path} holds the server ${found ?? 'of no name'}, the record says ${expected}`,
    { hint: 'these volumes are not restored from this backup; nothing was changed on them' },
  );
}

/** A restore that cannot go on. */
export function failed(message: string, hint?: string): StillpointError {
  return new StillpointError('restore-failed', message, hint === undefined ? {} : { hint });
}
