/** Lets a copy back into the original's world: it is about to take the original's place. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume, PreparedFiles } from '../../engine';
import type { Finding, Log } from '../../ports';
import { exists, putBackOriginal } from '../../restore/files';
import { failed, findDataDirectory } from './data-directory';
import { AUTO_CONF, SERVER_FILES } from './prepare';

/** A server that finds one of these begins a recovery, and would fetch from the archive whatever came after the backup. */
const UNRECOVERED = ['backup_label', 'tablespace_map', 'recovery.signal', 'standby.signal'];

/**
 * Puts postgresql.auto.conf back as the original had it: archiving, subscriptions and preloaded jobs are on again where they
 * were. The copy has recovered by then, and writes a timeline of its own.
 */
export async function attach(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  log: Log,
): Promise<PreparedFiles> {
  const data = await findDataDirectory(volumes, record);
  const { path, uid, gid } = data;
  const there = await Promise.all(UNRECOVERED.map((name) => exists(join(path, name))));
  const left = UNRECOVERED.filter((_, index) => there[index]);
  if (left.length > 0) {
    throw failed(
      `${path} still has ${left.join(', ')}: no server has recovered these files to their end`,
      'attached, the server would go on into the archive of the original',
    );
  }
  const put = await putBackOriginal(join(path, AUTO_CONF), record.id, data);
  await Promise.all(Object.values(SERVER_FILES).map((name) => rm(join(path, name), { force: true })));
  const done = put ? [`attached: ${AUTO_CONF} is the original's again`] : [`${path} was attached before`];
  for (const text of done) log.info({ path }, text);
  return { dataPath: path, uid, gid, done };
}

/** What a restore in place cannot keep as it was. */
export function inPlace(record: BackupRecord): readonly Finding[] {
  const subject = `database ${record.namespace}/${record.database}`;
  if (record.serverIdentity?.role === 'standby') {
    const message =
      'the backup is of a standby: in its place the copy would follow the primary at once, and be as new as that';
    const hint = 'restore the backup beside, with --claim, and make that the primary';
    return [{ severity: 'error', code: 'in-place-unsuitable', subject, message, hint }];
  }
  const message =
    'the server gets a timeline of its own; its replication slots are dropped, and its standbys have to be made anew';
  return [{ severity: 'warning', code: 'ok', subject, message }];
}
