/**
 * Restores one dump as the files of a server that has not started yet, by the engine's own tool; step by step. The tool writes while it
 * reads, so it does so beside the place where a server looks: the files get there when every byte was what the record says.
 */
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toolsOf } from '../dump/checks';
import { imageFindings } from '../dump/image';
import { passedOf } from '../dump/record';
import { requestOf } from '../dump/request';
import type { DumpSource } from '../dump/source';
import { saidBy } from '../dump/tool-version';
import { type Engine, NO_TARGET } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import { restore } from '../pipe/restore';
import { syncFolder } from '../restore/files';
import type { EngineDump, StoredDatabase, StoredFiles } from '../tools/tool';
import type { RestoreDumpContext } from './restore-dump-context';

/** Where the tool writes: one for each database, so that what an earlier attempt has left is told from what belongs there. */
export const stagingOf = (directory: string, database: string): string =>
  join(directory, `.stillpoint-restore-${database}`);

/** Restores the database. Returns its folder. Throws restore-exists where a server has started, or the database is. */
export async function restoreDumpStore(
  source: DumpSource,
  engine: Engine,
  files: StoredFiles,
  directory: string,
  context: RestoreDumpContext,
): Promise<string> {
  const { log, root, config } = context;
  refuseOnErrors(await imageFindings(root));
  const tools = toolsOf(engine);
  const database = databaseOf(requestOf(config.spec, source.record).database);
  const toolSays = await readerStep(tools, context);
  await emptyStep(files, { directory, database });
  const staging = stagingOf(directory, database);
  log.info({ step: 'restore', location: source.object.location, bytes: source.object.bytes }, 'step begins');
  try {
    await loadStep(tools, files, source, { directory: staging, database, toolSays }, context);
    await placeStep(files, staging, directory, database);
  } catch (thrown) {
    context.signal.throwIfAborted();
    throw translate(thrown, directory);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  log.info({ step: 'restore', database }, 'step done');
  return join(directory, files.foldersOf(database).at(-1) ?? '');
}

function databaseOf(database: string | undefined): string {
  if (database !== undefined) return database;
  throw new StillpointError('config-invalid', 'the record of the dump does not say which database it is of', {
    hint: 'name it in onlyDatabase',
  });
}

async function readerStep(tools: EngineDump, context: RestoreDumpContext): Promise<string> {
  const says = await saidBy(tools.reader ?? tools.versionOf(undefined), context);
  const unfit = tools.unfit(says, { version: '' });
  if (unfit === undefined) return says;
  throw new StillpointError('tool-version', unfit, { hint: 'name the image that the new server runs in serverImage' });
}

/** A server that has started there has files of its own (safety rule 12). What an attempt of ours has left is taken away again. */
async function emptyStep(
  files: StoredFiles,
  { directory, database }: Pick<StoredDatabase, 'directory' | 'database'>,
): Promise<void> {
  const staging = stagingOf(directory, database);
  const [begun, top] = await Promise.all([isThere(staging), entriesOf(directory)]);
  const folders = files.foldersOf(database);
  const there: string[] = [];
  for (const folder of folders) if (await isThere(join(directory, folder))) there.push(folder);
  // As long as our own folder is there, whatever lies under the database's name has been put there from it.
  const holds = files.occupied(database, {
    top: top.filter((name) => join(directory, name) !== staging),
    folders: begun ? [] : there,
  });
  if (holds.length > 0) {
    throw new StillpointError('restore-exists', `the folder ${directory} is not empty: ${holds.join(', ')}`, {
      hint: 'restore into a new claim, on which no server has started',
    });
  }
  for (const folder of there) await rm(join(directory, folder), { recursive: true, force: true });
  await rm(staging, { recursive: true, force: true });
}

async function loadStep(
  tools: EngineDump,
  files: StoredFiles,
  { store, object, opening }: DumpSource,
  what: StoredDatabase,
  context: RestoreDumpContext,
): Promise<void> {
  await mkdir(what.directory, { mode: 0o700 });
  await files.prepare(what);
  const command = tools.restore?.(NO_TARGET, { ...what, readerSays: what.toolSays });
  if (command === undefined) throw new StillpointError('config-invalid', 'no tool is known that reads a dump back');
  const content = await store.get(object.key, { signal: context.signal });
  await restore(command, content, passedOf(object), { ...context, ...opening });
}

/** Durable first, then in one step each. */
async function placeStep(files: StoredFiles, staging: string, directory: string, database: string): Promise<void> {
  for (const folder of files.foldersOf(database)) await syncAll(join(staging, folder));
  for (const folder of files.foldersOf(database)) {
    const to = join(directory, folder);
    await mkdir(dirname(to), { recursive: true });
    await rename(join(staging, folder), to);
    await syncFolder(dirname(to));
  }
  await syncFolder(directory);
}

async function syncAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await syncFolder(path);
    if (!entry.isFile()) continue;
    await using file = await open(path, 'r+');
    await file.sync();
  }
  await syncFolder(folder);
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function entriesOf(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (thrown) {
    throw translate(thrown, directory);
  }
}

function translate(thrown: unknown, directory: string): unknown {
  if (!(thrown instanceof Error) || thrown instanceof StillpointError || !('syscall' in thrown)) {
    return asStillpointError(thrown);
  }
  return new StillpointError('restore-failed', `the folder ${directory} cannot be used: ${thrown.message}`, {
    hint: 'the volume needs room for the whole database, and has to belong to the user of the pod: serverUser and serverGroup',
    cause: thrown,
  });
}
