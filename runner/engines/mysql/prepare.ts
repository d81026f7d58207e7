/** Makes restored files fit to start: a server of its own name, and nothing that reaches out. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume, PreparedFiles } from '../../engine';
import { StillpointError } from '../../errors';
import type { Log } from '../../ports';
import { keepOriginal, readIfThere, writeDurably } from '../../restore/files';
import { AUTO_CNF, checkIdentity, type DataDirectory, findDataDirectory } from './data-directory';
import { detachedSettings, PERSISTED, REPLICATION_FILES } from './detach';
import { recordedDialect } from './recorded';

/** Says that the files are prepared, and for which backup. It goes along into backups of the restored server, where it means nothing. */
const MARKER = 'stillpoint.prepared';

/** Prepares the files, once: the last thing written is a marker, and what has it is left as it is. */
export async function prepare(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  log: Log,
): Promise<PreparedFiles> {
  try {
    return await prepareFiles(volumes, record, log);
  } catch (thrown) {
    if (thrown instanceof StillpointError) throw thrown;
    const { code, path, message } = thrown as NodeJS.ErrnoException;
    throw new StillpointError('restore-failed', `${path ?? 'a restored file'} could not be prepared: ${message}`, {
      ...(code === 'EACCES' || code === 'EPERM' ? { hint: 'run as the user that owns the files, or as root' } : {}),
      cause: thrown,
    });
  }
}

async function prepareFiles(volumes: readonly MountedVolume[], record: BackupRecord, log: Log): Promise<PreparedFiles> {
  const data = await findDataDirectory(volumes, record);
  const { path, uid, gid } = data;
  const marker = join(path, MARKER);
  if ((await readIfThere(marker)).trim() === record.id) {
    return { dataPath: path, uid, gid, done: [`${path} was prepared for backup ${record.id} before`] };
  }
  const begun = (await readIfThere(marker)).trim() === `begun ${record.id}`;
  // A second attempt finds the name of the server gone already.
  if (!begun) await checkIdentity(path, record);
  await writeDurably(marker, `begun ${record.id}\n`, data);
  const done = [
    ...(await removeFiles(data, (name) => name === AUTO_CNF, 'the copy gets a server_uuid of its own')),
    ...(await removeFiles(data, (name) => name.endsWith('.pid') || name.endsWith('.sock'), 'of the original process')),
    ...(await removeFiles(data, (name) => REPLICATION_FILES.test(name), 'the copy replicates from nobody')),
    ...(await detach(data, record)),
  ];
  await writeDurably(marker, `${record.id}\n`, data);
  for (const text of done) log.info({ path }, text);
  return { dataPath: path, uid, gid, done };
}

async function removeFiles(
  { path }: DataDirectory,
  matches: (name: string) => boolean,
  why: string,
): Promise<readonly string[]> {
  const names = (await readdir(path)).filter(matches);
  await Promise.all(names.map((name) => rm(join(path, name))));
  return names.length === 0 ? [] : [`removed ${names.join(', ')}: ${why}`];
}

async function detach(data: DataDirectory, record: BackupRecord): Promise<readonly string[]> {
  if (!recordedDialect(record).persistsSettings) {
    return ['this server keeps no settings with its data: start a copy with --event-scheduler=OFF --skip-slave-start'];
  }
  const file = join(data.path, PERSISTED);
  await keepOriginal(file, record.id, data);
  await writeDurably(file, detachedSettings(await readIfThere(file)), data);
  return [`detached: no replication, no events (${PERSISTED})`];
}
