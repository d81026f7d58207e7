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
export function inPlace({ namespace, database }: BackupRecord): readonly Finding[] {
  const message = 'its replicas load the whole of the restored data, and lose what they have beyond it';
  return [{ severity: 'warning', code: 'ok', subject: `database ${namespace}/${database}`, message }];
}
