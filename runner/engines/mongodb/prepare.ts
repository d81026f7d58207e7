/**
 * Finds restored files and says how they may be started. Nothing of a mongod's files can be changed without a mongod:
 * what would make a copy rejoin its set is a document in them, and it is left out of the way by how the copy is started.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume, PreparedFiles } from '../../engine';
import { StillpointError } from '../../errors';
import type { Log } from '../../ports';
import { movedPaths } from '../../restore/moved-paths';

/** What WiredTiger has in every dbPath, and first of all. */
const WIREDTIGER = 'WiredTiger';

/** The file systems' own. */
const NOT_OURS = new Set(['lost+found']);

/** Finds the files, and tells what they need. Changes nothing, so it can be called again. */
export async function prepare(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  log: Log,
): Promise<PreparedFiles> {
  const volume = volumes.find(({ role }) => role === 'data');
  if (volume === undefined) throw failed('none of the mounted volumes has the role data');
  const wanted = record.settings?.dbPath ?? volume.path;
  for (const path of [...movedPaths(wanted, volume, record), volume.path]) {
    const file = await dataFile(path, record);
    if (file === undefined) continue;
    const { uid, gid } = await stat(file);
    const done = detached(record);
    for (const text of done) log.info({ path }, text);
    return { dataPath: path, uid, gid, done };
  }
  throw failed(`there are no files of a mongod in ${volume.path} (volume ${volume.name})`);
}

/** A file that tells whose the data is; undefined where there is no data. */
async function dataFile(path: string, { settings }: BackupRecord): Promise<string | undefined> {
  const names = (await readdir(path).catch(() => [])).filter((name) => !NOT_OURS.has(name));
  if (settings?.storageEngine === 'wiredTiger' || names.includes(WIREDTIGER)) {
    return names.includes(WIREDTIGER) ? join(path, WIREDTIGER) : undefined;
  }
  const [first] = names.sort();
  return first === undefined ? undefined : join(path, first);
}

/** Safety rule 13: a member of a set that is started as one looks for the others. */
function detached({ serverIdentity }: BackupRecord): readonly string[] {
  const { setName } = serverIdentity ?? {};
  if (setName === undefined) return ['the files are those of a server of no set: they can be started as they are'];
  return [
    `the files carry the configuration of replica set ${setName}: start them without --replSet, as the throw-away server is, until it is replaced (docs/mongodb.md)`,
  ];
}

function failed(message: string): StillpointError {
  return new StillpointError('restore-failed', message);
}
