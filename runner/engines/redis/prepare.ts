/** Makes restored files fit to start: on its own, and with the data of the record whatever its settings say. */
import { chown, copyFile, link, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume, PreparedFiles } from '../../engine';
import { StillpointError } from '../../errors';
import type { Log } from '../../ports';
import { exists, keepOriginal, type Owner, readIfThere, writeDurably } from '../../restore/files';
import { movedPaths } from '../../restore/moved-paths';
import { type DataDirectory, findDataDirectory, startFile } from './data-directory';
import { detachedConfiguration, fitsPattern, includedFiles, LEFT_OVER, manifestOf, nodesOfOne } from './detach';
import { isAppendOnly } from './recorded';

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
  const done = [
    ...(await removeLeftOvers(data)),
    ...(await leaveCluster(data, record)),
    ...(await detachConfiguration(data, volumes, record)),
    ...(await appendOnlyFromDump(data, record)),
  ];
  await writeDurably(marker, `${record.id}\n`, data);
  for (const text of done) log.info({ path }, text);
  return { dataPath: path, uid, gid, done };
}

async function removeLeftOvers({ path }: DataDirectory): Promise<readonly string[]> {
  const names = (await readdir(path)).filter((name) => LEFT_OVER.test(name));
  await Promise.all(names.map((name) => rm(join(path, name))));
  return names.length === 0 ? [] : [`removed ${names.join(', ')}: of the original process`];
}

/**
 * With it the copy would greet the nodes of the original's cluster under the name of one of them. In its place comes one that
 * knows nobody: started as a node of a cluster, the copy has the slots of its keys, and a name that no other node has heard.
 */
async function leaveCluster(data: DataDirectory, record: BackupRecord): Promise<readonly string[]> {
  const name = record.settings?.['cluster-config-file'] ?? 'nodes.conf';
  const file = isAbsolute(name) ? join(data.path, basename(name)) : join(data.path, name);
  const original = `${file}.original`;
  if ((await exists(file)) && !(await exists(original))) await rename(file, original);
  if (!(await exists(original))) return [];
  const left = `moved ${name} to ${name}.original: the copy is in no cluster`;
  const alone = nodesOfOne(record);
  if (alone === undefined) return [left];
  await writeDurably(file, alone, data);
  return [left, `wrote a ${name} of its own with the slots ${record.position?.slots}: it knows no other node`];
}

/** A configuration file that lies with the data, as CONFIG REWRITE needs it. */
async function detachConfiguration(
  data: DataDirectory,
  volumes: readonly MountedVolume[],
  record: BackupRecord,
): Promise<readonly string[]> {
  const done: string[] = [];
  const files = new Set(configurationFiles(volumes, record));
  // What is added in the loop is visited by it.
  for (const path of files) {
    const text = await readIfThere(path);
    for (const included of includedFiles(text)) {
      for (const each of await includedPaths(included, path, volumes, record)) files.add(each);
    }
    const detached = detachedConfiguration(text);
    if (detached === undefined) continue;
    await keepOriginal(path, record.id, data);
    await writeDurably(path, detached, data);
    done.push(`detached: ${basename(path)} makes the copy neither a replica nor a node of a cluster`);
  }
  return done;
}

/** The files among the data that another one takes in. A path that is not absolute begins where the server was started, or beside that file. */
async function includedPaths(
  included: string,
  from: string,
  volumes: readonly MountedVolume[],
  record: BackupRecord,
): Promise<readonly string[]> {
  const volume = volumes.find(({ role }) => role === 'data');
  if (volume === undefined) return [];
  const places = isAbsolute(included)
    ? movedPaths(included, volume, record)
    : [join(dirname(from), included), join(volume.path, included)];
  const found: string[] = [];
  // What lies outside of the copy is another server's.
  for (const place of places.filter((each) => !relative(volume.path, each).startsWith('..'))) {
    const names = await readdir(dirname(place)).catch(() => []);
    found.push(...names.filter((name) => fitsPattern(name, basename(place))).map((name) => join(dirname(place), name)));
  }
  return found;
}

/** Where the server's configuration file may lie among the data. */
export function configurationFiles(volumes: readonly MountedVolume[], record: BackupRecord): readonly string[] {
  const file = record.settings?.config_file ?? '';
  const volume = volumes.find(({ role }) => role === 'data');
  return file === '' || volume === undefined ? [] : movedPaths(file, volume, record);
}

/**
 * A server with `appendonly yes` reads no dump: with a dump alone it starts empty, and writes that down. So of a dump of such
 * a server append-only files are made that begin with it; what the original had of them is not of the recorded position.
 */
async function appendOnlyFromDump(data: DataDirectory, record: BackupRecord): Promise<readonly string[]> {
  const { appendonly, appenddirname, appendfilename } = record.settings ?? {};
  if (isAppendOnly(record) || appendonly !== 'yes' || appendfilename === undefined) return [];
  if (appenddirname === undefined) return await appendOnlyFile(data, join(data.path, appendfilename), record);
  const folder = join(data.path, appenddirname);
  const { base, manifest } = manifestOf(appendfilename);
  await ownFolder(folder, data);
  // The manifest goes first and comes last: without it the server takes none of the files.
  await rm(join(folder, `${appendfilename}.manifest`), { force: true });
  for (const name of await readdir(folder)) {
    if (name.startsWith(`${appendfilename}.`)) await rm(join(folder, name));
  }
  await linkOrCopy(join(data.path, startFile(record)), join(folder, base), data);
  await writeDurably(join(folder, `${appendfilename}.manifest`), manifest, data);
  return [`made ${appenddirname} of the dump: with appendonly yes the copy would start empty`];
}

/** Before Redis 7 it is one file, and one that begins with a dump is loaded as what it is. The server writes on in it: no link. */
async function appendOnlyFile(data: DataDirectory, file: string, record: BackupRecord): Promise<readonly string[]> {
  await rm(file, { force: true });
  await copyFile(join(data.path, startFile(record)), file);
  if (process.getuid?.() !== data.uid) await chown(file, data.uid, data.gid);
  await using copied = await open(file, 'r+');
  await copied.sync();
  return [`made ${basename(file)} of the dump: with appendonly yes the copy would start empty`];
}

async function ownFolder(path: string, { uid, gid }: Owner): Promise<void> {
  if (await exists(path)) return;
  await mkdir(path);
  if (process.getuid?.() !== uid) await chown(path, uid, gid);
}

/** Neither is ever written to again: a server replaces them by new files. */
async function linkOrCopy(from: string, to: string, { uid, gid }: Owner): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    await copyFile(from, to);
    if (process.getuid?.() !== uid) await chown(to, uid, gid);
  }
}
