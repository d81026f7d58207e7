/** Restores the files of one copy into empty volumes, step by step. Good only when this returns. */
import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { type BackupRecord, type CopyRestoreConfig, RECORD, type RecordedObject, validate } from '../../src/contract';
import type { FilledVolume } from '../archive/extract';
import { refuseOccupied, refuseSmall, restoreFiles, type StoredContent } from '../copy/restore-files';
import { passedOf } from '../dump/record';
import { findRecord, openObject, type SourceContext } from '../dump/source';
import { asStillpointError, StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Clock, Events } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { say } from './say';

export interface RestoreCopyContext extends SourceContext {
  readonly config: CopyRestoreConfig;
  readonly openStore: () => Promise<ObjectStore>;
  readonly events: Events;
  readonly user: { readonly uid: number; readonly gid: number };
  readonly clock: Clock;
}

/** What was restored. */
export interface RestoredCopy {
  readonly record: BackupRecord;
  readonly files: number;
  readonly bytes: number;
}

/** Fills the volumes. From the first file on, an error leaves volumes that are to be thrown away. */
export async function restoreCopy(context: RestoreCopyContext): Promise<RestoredCopy> {
  const { config, log } = context;
  const { id } = config.spec.backup;
  let begun = false;
  try {
    const store = await context.openStore();
    await using found = await findRecord(context, store, 'copy');
    const { record } = found;
    const within = { ...context, signal: AbortSignal.any([context.signal, found.lost]) };
    // 1. All that can be known before anything is written.
    const copied = copiedRecordOf(record);
    const volumes = volumesOf(record, copied, config);
    const [archive, manifest] = await contentsStep(within, record, store);
    await refuseOccupied(volumes);
    await refuseSmall(volumes, record.copy?.volumes ?? []);
    // 2. The files.
    await say(context, 'Normal', 'Restoring', `Restoring copy ${recordPath(record)}`);
    log.info({ step: 'files', location: record.objects?.[0]?.location }, 'step begins');
    begun = true;
    const extracted = await restoreFiles(volumes, { archive: await archive(), manifest: await manifest() }, within);
    // 3. What prepares them works by the record of the backup that was copied.
    await writeFile(config.spec.recordFile, stringify(copied, { lineWidth: 0 }));
    await say(context, 'Normal', 'SuccessfulRestore', `Copy ${recordPath(record)} restored`);
    log.info({ id, ...extracted }, 'copy restored: every file is what its manifest says');
    return { record, ...extracted };
  } catch (thrown) {
    const error = asStillpointError(thrown);
    await say(context, 'Warning', 'FailedRestore', `Copy ${id} was not restored: ${error.message} (${error.code})`);
    throw begun ? halfRestored(error) : error;
  }
}

/** The record of the backup that was copied. It comes out of a store, so it is looked at. */
function copiedRecordOf(record: BackupRecord): BackupRecord {
  const copied = record.copy?.record;
  const [problem] = validate(RECORD, copied);
  if (problem === undefined) return copied as unknown as BackupRecord;
  throw new StillpointError(
    'record-unreadable',
    `the record of the backup in copy ${recordPath(record)} does not fit: ${problem.path} ${problem.message}`,
    { hint: 'a newer version may have written it: take a runner image of that version' },
  );
}

/** Half a database is none: each volume of the copy has to have its place. */
function volumesOf(record: BackupRecord, copied: BackupRecord, { spec }: CopyRestoreConfig): readonly FilledVolume[] {
  const [wanted, given] = [copied.volumes.map(({ name }) => name), spec.volumes.map(({ name }) => name)];
  if ([...wanted].sort().join() !== [...given].sort().join()) {
    throw new StillpointError(
      'config-invalid',
      `copy ${recordPath(record)} is of the volumes ${wanted.join(', ')}, and the restore names ${given.join(', ')}`,
      { hint: 'name each volume of the copy once: stillpoint describe shows them' },
    );
  }
  return spec.volumes.map(({ name, path }) => {
    const { mountPath, subPath } = copied.volumes.find((volume) => volume.name === name) ?? {};
    return { name, path, mountPath, subPath };
  });
}

/** That both are there, and are opened by what was given, is found out before anything is written. */
async function contentsStep(
  context: RestoreCopyContext,
  record: BackupRecord,
  store: ObjectStore,
): Promise<[() => Promise<StoredContent>, () => Promise<StoredContent>]> {
  const [archive, manifest] = record.objects ?? [];
  if (archive === undefined || manifest === undefined) {
    throw new StillpointError('backup-not-restorable', `copy ${recordPath(record)} names no archive with its manifest`);
  }
  const contentOf = async (object: RecordedObject): Promise<() => Promise<StoredContent>> => {
    const opening = await openObject(context, object, store);
    const { signal } = context;
    return async () => ({ content: await store.get(object.key, { signal }), written: passedOf(object), opening });
  };
  return [await contentOf(archive), await contentOf(manifest)];
}

/** From the first file on the volumes hold a part. */
function halfRestored(error: StillpointError): StillpointError {
  return new StillpointError(error.code, error.message, {
    cause: error,
    exitCode: 7,
    hint: `${error.hint === undefined ? '' : `${error.hint}; `}the claims hold a part of the copy: delete them, and restore into new ones`,
  });
}
