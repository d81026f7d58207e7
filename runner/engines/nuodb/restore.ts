/**
 * Restored volumes of a storage manager: archive and journal have to be of one backup, which the hooks wrote into both. The
 * files name no other host: whom a storage manager joins, its own pod says (safety rule 13).
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { Inspection, MountedVolume, PreparedFiles, ServerCommand } from '../../engine';
import { StillpointError } from '../../errors';
import type { Log } from '../../ports';

/** What the hooks write into archive and journal. */
const ID_FILE = 'backup.txt';

/** Left as it is: the Helm chart compares the two itself, and takes them away (database.snapshotRestore). */
export async function prepare(
  volumes: readonly MountedVolume[],
  record: BackupRecord,
  log: Log,
): Promise<PreparedFiles> {
  const archive = volumes.find(({ role }) => role === 'data');
  if (archive === undefined) throw failed('none of the mounted volumes has the role data');
  const done: string[] = [];
  let expected = cutAs(record);
  for (const { name, path } of volumes) {
    const found = await idIn(path, name);
    if (found === undefined || found !== (expected ?? found)) throw mismatch(name, found, record, expected);
    expected = found;
    done.push(`volume ${name} was cut in backup ${found}`);
  }
  const { uid, gid } = await stat(archive.path);
  log.info({ backup: record.id }, done.join('; '));
  return { dataPath: archive.path, uid, gid, done };
}

/** What the files have to say; undefined of a backup that came in by bare handles: of that only they know. */
function cutAs({ id, imported, position }: BackupRecord): string | undefined {
  return position?.backupId ?? (imported === undefined ? id : undefined);
}

/** The file lies in the folder that the hooks are told of: the volume itself, or one folder of it. */
async function idIn(path: string, volume: string): Promise<string | undefined> {
  const unreadable = (what: string) => (cause: NodeJS.ErrnoException) => {
    const message = `${what} of volume ${volume} cannot be read (${cause.code ?? cause.message})`;
    throw new StillpointError('restore-failed', message, {
      hint: 'whether archive and journal are of one backup is not known without it: restore again, and if it stays so take another backup',
      cause,
    });
  };
  const entries = await readdir(path, { withFileTypes: true }).catch(unreadable(`the folder ${path}`));
  // That of a file system is for root alone, and nobody's data.
  const folders = entries.filter((each) => each.isDirectory() && each.name !== 'lost+found').map(({ name }) => name);
  for (const folder of ['', ...folders]) {
    const file = join(path, folder, ID_FILE);
    const text = await readFile(file, 'utf8').catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT') return undefined;
      return unreadable(`the file ${file}`)(thrown);
    });
    if (text !== undefined) return text.trim();
  }
  return undefined;
}

export function serverCommand(): ServerCommand {
  throw noServer();
}

export async function inspect(): Promise<Inspection> {
  throw noServer();
}

function noServer(): StillpointError {
  return new StillpointError(
    'backup-not-restorable',
    'a storage manager of NuoDB does not start without a domain that it joins',
    {
      hint: 'leave --start out, and start the database on the restored claims by its Helm chart: docs/nuodb.md',
    },
  );
}

function mismatch(
  volume: string,
  found: string | undefined,
  { id, position }: BackupRecord,
  expected: string | undefined,
): StillpointError {
  const is = found === undefined ? `has no ${ID_FILE}` : `is of backup ${found}`;
  const ofOther = position?.backupId === undefined && expected !== undefined && expected !== id;
  const other = ofOther ? `the one before it is of ${expected}` : `the record is of ${id}`;
  return failed(`volume ${volume} ${is}, and ${other}: archive and journal have to be of one backup`);
}

function failed(message: string): StillpointError {
  return new StillpointError('restore-failed', message);
}
