/** Makes restored files fit to start: the label where the layout has one, the links, and nothing that reaches out. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume, PreparedFiles } from '../../engine';
import { StillpointError } from '../../errors';
import type { Log } from '../../ports';
import { exists, keepOriginal, readIfThere, writeDurably } from '../../restore/files';
import { type DataDirectory, failed, findDataDirectory } from './data-directory';
import { detachedConfiguration, undetachedArguments } from './detach';
import { mendLinks, movedTablespaceMap } from './links';

/** Says that the files are prepared, and for which backup. It goes along into backups of the restored server, where it means nothing. */
const MARKER = 'stillpoint.prepared';
/** What the throw-away server of {@link serverCommand} reads instead of the original's files. */
export const SERVER_FILES = { config: 'stillpoint.conf', hba: 'stillpoint.hba.conf' } as const;

/** What ALTER SYSTEM writes: the server reads it after all other files. */
export const AUTO_CONF = 'postgresql.auto.conf';

/** The server that wrote these is not this one; a signal file would make a standby of it. */
const NOT_OURS = ['postmaster.pid', 'postmaster.opts', 'standby.signal', 'recovery.signal'];

/**
 * Prepares the files, once: a copy whose server has run must never get its backup_label again, so the last thing
 * written is a marker, and what has it is left as it is.
 */
export async function prepare(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  log: Log,
  { inPlace = false }: { readonly inPlace?: boolean } = {},
): Promise<PreparedFiles> {
  try {
    return await prepareFiles(volumes, record, log, inPlace);
  } catch (thrown) {
    if (thrown instanceof StillpointError) throw thrown;
    const { code, path, message } = thrown as NodeJS.ErrnoException;
    throw new StillpointError('restore-failed', `${path ?? 'a restored file'} could not be prepared: ${message}`, {
      ...(code === 'EACCES' || code === 'EPERM' ? { hint: 'run as the user that owns the files, or as root' } : {}),
      cause: thrown,
    });
  }
}

async function prepareFiles(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  log: Log,
  inPlace: boolean,
): Promise<PreparedFiles> {
  const data = await findDataDirectory(volumes, record);
  const { path, uid, gid } = data;
  const marker = join(path, MARKER);
  if ((await readIfThere(marker)).trim() === record.id) {
    return { dataPath: path, uid, gid, done: [`${path} was prepared for backup ${record.id} before`] };
  }
  const done = [
    ...(await removeForeign(data, record)),
    ...(await mendLinks(path, volumes, record)),
    ...(await writeRecovery(data, volumes, record, inPlace)),
    ...(await dropSlots(data)),
    ...(await detach(data, record)),
  ];
  await writeAs(data, MARKER, `${record.id}\n`);
  for (const text of done) log.info({ path }, text);
  return { dataPath: path, uid, gid, done };
}

async function removeForeign({ path }: DataDirectory, record: BackupRecord): Promise<readonly string[]> {
  const label = await readIfThere(join(path, 'backup_label'));
  if (label !== '' && label !== record.artifacts?.backup_label) {
    throw failed(
      `${path} holds a backup_label that is not of backup ${record.id}`,
      'the server was itself being restored, or in an exclusive backup, when its volumes were cut: this copy is of no use',
    );
  }
  const there = await Promise.all(NOT_OURS.map((name) => exists(join(path, name))));
  const names = NOT_OURS.filter((_, index) => there[index]);
  await Promise.all(names.map((name) => rm(join(path, name))));
  return names.length === 0 ? [] : [`removed ${names.join(', ')}`];
}

/**
 * With a label the server recovers from the start of the backup and refuses to end before its stop. recovery.signal
 * makes that an archive recovery: the copy gets a timeline of its own. So does that of a standby, which would otherwise
 * go on writing the timeline of its primary, and one that takes the original's place: on the original's timeline it would
 * archive other segments under the names of those that are in the archive.
 */
async function writeRecovery(
  data: DataDirectory,
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  inPlace: boolean,
): Promise<readonly string[]> {
  const { backup_label, tablespace_map } = record.artifacts ?? {};
  const done: string[] = [];
  if (record.layout === 'backup-mode' && backup_label === undefined) {
    throw failed(`the record of backup ${record.id} has no backup_label, and its copy must not start without`);
  }
  if (tablespace_map !== undefined) {
    await writeAs(data, 'tablespace_map', await movedTablespaceMap(tablespace_map, volumes, record));
    done.push('wrote tablespace_map');
  }
  if (backup_label !== undefined) {
    await writeAs(data, 'backup_label', backup_label);
    done.push('wrote backup_label: recovery begins at the start of the backup');
  }
  if (backup_label !== undefined || record.serverIdentity?.role === 'standby' || inPlace) {
    await writeAs(data, 'recovery.signal', '');
    done.push('wrote recovery.signal: the copy gets a timeline of its own');
  }
  return done;
}

/** As pg_basebackup does: nobody will ever read from the copy's slots, and they would keep its log for ever. */
async function dropSlots({ path }: DataDirectory): Promise<readonly string[]> {
  const folder = join(path, 'pg_replslot');
  const slots = await readdir(folder);
  await Promise.all(slots.map((slot) => rm(join(folder, slot), { recursive: true })));
  return slots.length === 0 ? [] : [`dropped ${slots.length} replication slots`];
}

async function detach(data: DataDirectory, record: BackupRecord): Promise<readonly string[]> {
  const { path, major } = data;
  await keepOriginal(join(path, AUTO_CONF), record.id, data);
  const existing = await readIfThere(join(path, AUTO_CONF));
  const libraries = record.settings?.shared_preload_libraries;
  await writeAs(data, AUTO_CONF, detachedConfiguration(existing, major, libraries));
  await writeAs(data, SERVER_FILES.config, '# Read by the server of stillpoint restore --start alone.\n');
  await writeAs(data, SERVER_FILES.hba, HBA);
  const done = ['detached: no replication, archiving, subscriptions or preloaded jobs (postgresql.auto.conf)'];
  if (!(await exists(join(path, 'postgresql.conf')))) {
    await writeAs(data, 'postgresql.conf', '# The original had its configuration elsewhere.\n');
    done.push('wrote an empty postgresql.conf: the original had its configuration elsewhere');
  }
  const names = undetachedArguments(record.settings?.command_line);
  if (names.length > 0) {
    done.push(`the original has ${names.join(', ')} in its arguments: start the copy without them`);
  }
  return done;
}

/** Whoever reaches the socket is in the same pod; over the network the users' own passwords hold. */
const HBA = 'local all all trust\nhost all all all scram-sha-256\n';

/** Writes a file of the data directory as the owner of the others. */
function writeAs(data: DataDirectory, name: string, content: string): Promise<void> {
  return writeDurably(join(data.path, name), content, data);
}
