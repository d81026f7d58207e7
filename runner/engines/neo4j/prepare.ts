/**
 * Finds restored files, and writes down how a server that is thrown away is started on them: Neo4j takes its settings from a
 * file. Nothing of the store itself is changed.
 */
import { chown, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume, PreparedFiles } from '../../engine';
import { StillpointError } from '../../errors';
import type { Log } from '../../ports';
import { type Owner, writeDurably } from '../../restore/files';
import { movedPaths } from '../../restore/moved-paths';
import { removeEmptyServerId, SERVER_ID } from './server-id';
import { HEAP, isOfModern, javaSize, ownSettings, PAGE_CACHE, SETTINGS_FOLDER, WRITTEN_TO } from './settings';

/** What every data directory has. */
const STORE = 'databases';

export async function prepare(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  log: Log,
): Promise<PreparedFiles> {
  const data = volumes.find(({ role }) => role === 'data');
  if (data === undefined) throw failed('none of the mounted volumes has the role data');
  const wanted = record.settings?.['server.directories.data'] ?? data.path;
  for (const path of [...movedPaths(wanted, data, record), data.path]) {
    if (!(await readdir(path).catch((): string[] => [])).includes(STORE)) continue;
    const { uid, gid } = await stat(join(path, STORE));
    await writeSettings(path, volumes, record, { uid, gid });
    const done = [
      `${join(path, SETTINGS_FOLDER)} has the settings of a server on its own: no plug-in, no other listener`,
    ];
    if (await removeEmptyServerId(path))
      done.push(
        `${join(path, SERVER_ID)} was empty, which no server starts on, and is gone: the next start makes a new one`,
      );
    for (const line of done) log.info({ path }, line);
    return { dataPath: path, uid, gid, done };
  }
  throw failed(
    `there is no data directory of a Neo4j in ${data.path} (volume ${data.name}): it has no folder ${STORE}`,
  );
}

async function writeSettings(
  path: string,
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  owner: Owner,
): Promise<void> {
  const folder = join(path, SETTINGS_FOLDER);
  for (const each of ['', ...WRITTEN_TO]) {
    await mkdir(join(folder, each), { recursive: true });
    if (process.getuid?.() !== owner.uid) await chown(join(folder, each), owner.uid, owner.gid);
  }
  const log = volumes.find(({ role }) => role === 'log');
  const logs = log === undefined ? join(path, 'transactions') : logsPath(log, record);
  await writeDurably(join(folder, 'neo4j.conf'), settingsOf(path, logs, record), owner);
}

function logsPath(log: MountedVolume, record: BackupRecord): string {
  const [moved] = movedPaths(record.settings?.['server.directories.transaction.logs.root'] ?? log.path, log, record);
  return moved ?? log.path;
}

/** Memory as the original had it: more may not be there. */
function settingsOf(data: string, logs: string, record: BackupRecord): string {
  const { settings = {} } = record;
  const memory = { [HEAP]: javaSize(settings[HEAP]), [PAGE_CACHE]: javaSize(settings[PAGE_CACHE]) };
  return ownSettings({ data, logs, modern: isOfModern(record), memory, listens: true });
}

function failed(message: string): StillpointError {
  return new StillpointError('restore-failed', message);
}
