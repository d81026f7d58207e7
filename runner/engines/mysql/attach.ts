/** Lets a copy back into the original's world: it is about to take the original's place. */
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume, PreparedFiles } from '../../engine';
import type { Finding, Log } from '../../ports';
import { putBackOriginal } from '../../restore/files';
import { findDataDirectory } from './data-directory';
import { PERSISTED } from './detach';

/**
 * Puts the persisted settings back as the original had them: its events run again. MariaDB has none. The server_uuid stays
 * the copy's own: under the old one its new transactions would have GTIDs that were given before, and who has seen those
 * would skip them without a word.
 */
export async function attach(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  log: Log,
): Promise<PreparedFiles> {
  const data = await findDataDirectory(volumes, record);
  const { path, uid, gid } = data;
  const put = await putBackOriginal(join(path, PERSISTED), record.id, data);
  const done = put ? [`attached: ${PERSISTED} is the original's again`] : ['nothing is to be attached'];
  for (const text of done) log.info({ path }, text);
  return { dataPath: path, uid, gid, done };
}

/** What a restore in place cannot keep as it was. */
export function inPlace(record: BackupRecord): readonly Finding[] {
  const subject = `database ${record.namespace}/${record.database}`;
  const { source } = record.position ?? {};
  if (source !== undefined) {
    const message = `the backup is of a replica of ${source}: in its place the copy would replicate no more`;
    const hint = 'restore the backup beside, with --claim; or make the replica anew from its source';
    return [{ severity: 'error', code: 'in-place-unsuitable', subject, message, hint }];
  }
  const message =
    'its replicas have to be made anew: they have executed what the database will not have any more, and GTIDs may be given twice';
  return [{ severity: 'warning', code: 'ok', subject, message }];
}
