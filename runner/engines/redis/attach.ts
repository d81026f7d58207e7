/** Lets a copy back into the original's world: it is about to take the original's place. */
import { basename } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume, PreparedFiles } from '../../engine';
import type { Finding, Log } from '../../ports';
import { putBackOriginal } from '../../restore/files';
import { findDataDirectory } from './data-directory';
import { configurationFiles } from './prepare';

/** Puts a configuration file that lies with the data back as the original had it. */
export async function attach(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  log: Log,
): Promise<PreparedFiles> {
  const data = await findDataDirectory(volumes, record);
  const { path, uid, gid } = data;
  const done: string[] = [];
  for (const file of configurationFiles(volumes, record)) {
    if (await putBackOriginal(file, record.id, data)) done.push(`attached: ${basename(file)} is the original's again`);
  }
  if (done.length === 0) done.push('nothing is to be attached');
  for (const text of done) log.info({ path }, text);
  return { dataPath: path, uid, gid, done };
}

/** What a restore in place cannot keep as it was. */
export function inPlace({ namespace, database, position }: BackupRecord): readonly Finding[] {
  const subject = `database ${namespace}/${database}`;
  const { primary } = position ?? {};
  if (primary !== undefined) {
    const message = `the backup is of a replica of ${primary}: in its place the copy would load what its master has`;
    const hint = 'restore the backup beside, with --claim, and make that the master';
    return [{ severity: 'error', code: 'in-place-unsuitable', subject, message, hint }];
  }
  const message =
    'its replicas load the whole of the restored data; where sentinels watch it, stop them first, or they make a replica the master meanwhile';
  return [{ severity: 'warning', code: 'ok', subject, message }];
}
