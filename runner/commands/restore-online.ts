/**
 * Restores one database of an online backup into a running server: its files are brought from the store, each compared with the record, and
 * the engine's own tool makes of them what the server is handed; step by step.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BackupRecord, DumpRestoreConfig, EngineName, RecordedObject } from '../../src/contract';
import { imageFindings } from '../dump/image';
import { passedOf } from '../dump/record';
import { findRecord, openObject } from '../dump/source';
import { saidBy } from '../dump/tool-version';
import { asStillpointError, StillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import { recordPath } from '../output/records';
import { ENCRYPTED_EXTENSION } from '../pipe/encryption';
import { opened } from '../pipe/restore';
import type { ObjectStore } from '../storage/object-store';
import type { OnlineRestored, OnlineRestoreWorld } from '../tools/online-restore';
import { runTool } from '../tools/run-tool';
import { serveFile } from '../tools/served-file';
import type { RestoreDumpContext } from './restore-dump-context';
import { say } from './say';

type Online = NonNullable<DumpRestoreConfig['spec']['online']>;
type Recorded = NonNullable<NonNullable<BackupRecord['dump']>['databases']>[number];

/** Restores it. Returns what came of it. */
export async function restoreOnline(
  context: RestoreDumpContext,
  online: Online,
): Promise<{ readonly record: BackupRecord; readonly restored: OnlineRestored }> {
  const { config, log } = context;
  const { id } = config.spec.backup;
  try {
    const store = await context.openStore();
    await using found = await findRecord(context, store, 'online');
    const { record } = found;
    const within = { ...context, signal: AbortSignal.any([context.signal, found.lost]) };
    await say(context, 'Normal', 'Restoring', `Restoring backup ${recordPath(record)}`);
    const restored = await restoreStep(within, online, record, store);
    await say(context, 'Normal', 'SuccessfulRestore', `Backup ${recordPath(record)} restored as ${saidOf(restored)}`);
    log.info({ id, database: restored.database }, 'database restored');
    return { record, restored };
  } catch (thrown) {
    const error = asStillpointError(thrown);
    await say(context, 'Warning', 'FailedRestore', `Backup ${id} was not restored: ${error.message} (${error.code})`);
    throw error;
  }
}

/** With where an alias came from, which is what goes back needs. */
export function saidOf({ database, switched }: OnlineRestored): string {
  if (switched === undefined) return database;
  return `${database}; alias ${switched.alias} moved there from ${switched.from}`;
}

async function restoreStep(
  context: RestoreDumpContext,
  { scratch, metadata, check = true, replace = false, until, alias }: Online,
  record: BackupRecord,
  store: ObjectStore,
): Promise<OnlineRestored> {
  const { config, engineNamed, readTarget, root, log } = context;
  refuseOnErrors(await imageFindings(root));
  const engine = await engineNamed(record.engine as EngineName);
  const tool = engine.online;
  if (tool === undefined) {
    throw new StillpointError('config-invalid', `no tool of ${engine.name} is known that restores online backups`);
  }
  const wanted = databaseOf(record, config.spec.only, alias);
  const toolSays = await saidBy(tool.versionOf(), context);
  const unfit = tool.unfit(toolSays);
  if (unfit !== undefined) throw new StillpointError('tool-version', unfit, { hint: 'name an image of 5 or later' });
  const target = await readTarget(engine.name);
  const folder = join(scratch, 'backup');
  await emptied(scratch);
  try {
    await mkdir(folder);
    const bring = async (): Promise<readonly string[]> => {
      log.info({ step: 'fetch', database: wanted.name, files: wanted.files.length }, 'step begins');
      const chain: string[] = [];
      for (const key of wanted.files) chain.push(await fetchFile(objectOf(record, key), store, folder, context));
      return chain;
    };
    const request = { toolSays, database: wanted.name, highestTransaction: wanted.highest, until, metadata };
    const place = { into: config.spec.into, check, replace, alias, scratch };
    return await tool.restore(target, { ...request, ...place }, { ...worldOf(context), bring });
  } finally {
    await emptied(scratch).catch(() => undefined);
  }
}

function worldOf(context: RestoreDumpContext): Omit<OnlineRestoreWorld, 'bring'> {
  const { log, clock, signal } = context;
  return {
    run: (line, env) => runTool(line, context, env),
    serve: (file, near) => serveFile(file, near, log),
    clock,
    log,
    signal,
  };
}

/** By its name, by an alias that pointed to it when it was backed up, or as the only one. Throws config-invalid, backup-not-restorable. */
function databaseOf(
  record: BackupRecord,
  only: string | undefined,
  alias: string | undefined,
): { readonly name: string; readonly files: readonly string[]; readonly highest: number } {
  const all = record.dump?.databases ?? [];
  const named = (only ?? alias)?.toLowerCase();
  const found = named === undefined ? onlyOne(all, record) : all.find((each) => isNamed(each, named));
  if (found === undefined) {
    const names = all.map(({ name }) => name).join(', ');
    throw new StillpointError('backup-not-restorable', `backup ${recordPath(record)} has no database ${named}`, {
      hint: `it has ${names}; onlyDatabase names one`,
    });
  }
  const { name, files, highestTransaction, error } = found;
  if (files !== undefined && files.length > 0) return { name, files, highest: highestTransaction ?? 0 };
  throw new StillpointError(
    'backup-not-restorable',
    `backup ${recordPath(record)} has nothing of ${name}: ${error?.message ?? 'no files'}`,
    { hint: 'another backup may have it: stillpoint list' },
  );
}

const isNamed = ({ name, aliases = [] }: Recorded, named: string): boolean =>
  name.toLowerCase() === named || aliases.some((each) => each.toLowerCase() === named);

function onlyOne(all: readonly Recorded[], record: BackupRecord): Recorded | undefined {
  if (all.length === 1) return all[0];
  throw new StillpointError(
    'config-invalid',
    `backup ${recordPath(record)} has ${all.length} databases, and none is named`,
    { hint: `name one in onlyDatabase: ${all.map(({ name }) => name).join(', ')}` },
  );
}

function objectOf(record: BackupRecord, key: string): RecordedObject {
  const found = record.objects?.find((each) => each.key === key);
  if (found !== undefined) return found;
  throw new StillpointError('backup-not-restorable', `backup ${recordPath(record)} names no object ${key}`);
}

/** Under the name that the tool gave it: it tells the order of a chain by that. Every byte is what the record says, or this throws. */
async function fetchFile(
  object: RecordedObject,
  store: ObjectStore,
  folder: string,
  context: RestoreDumpContext,
): Promise<string> {
  const { signal } = context;
  const opening = await openObject(context, object, store);
  const path = join(folder, basename(object.key, ENCRYPTED_EXTENSION));
  const content = await store.get(object.key, { signal });
  try {
    await pipeline(opened(content, passedOf(object), opening), createWriteStream(path, { flags: 'wx' }), { signal });
  } catch (thrown) {
    signal.throwIfAborted();
    if (!(thrown instanceof Error) || !('syscall' in thrown)) throw thrown;
    throw new StillpointError(
      'room-missing',
      `${object.key} cannot be written to the scratch volume: ${thrown.message}`,
      {
        hint: 'it needs room for the files of the backup, the database, and a dump of it: scratch',
        cause: thrown,
      },
    );
  }
  return path;
}

/** What an earlier container of the same pod has left: the volume is of this pod alone. */
async function emptied(folder: string): Promise<void> {
  const names = await readdir(folder).catch((cause: Error) => {
    throw new StillpointError('directory-unusable', `the scratch folder ${folder} cannot be read: ${cause.message}`);
  });
  for (const name of names) {
    if (name !== 'lost+found') await rm(join(folder, name), { recursive: true, force: true });
  }
}
