/** The record of a copy from step to step. Pure. */
import { type BackupRecord, type CopyConfig, withoutAccess } from '../../src/contract';
import { recordedObject } from '../dump/record';
import type { CopyAnswer } from './order';

/** The record just before anything is made: what is copied, and the names of all that is going to be written. */
export function copyingRecord(
  record: BackupRecord,
  source: BackupRecord,
  { spec }: Pick<CopyConfig, 'spec'>,
  planned: {
    readonly storeName: string;
    readonly keys: readonly string[];
    readonly warnings: readonly string[];
    readonly now: Date;
  },
): BackupRecord {
  const { namespace, database, id, engine, flavour, serverVersion, serverIdentity, position } = source;
  return {
    ...record,
    engine,
    ...(flavour === undefined ? {} : { flavour }),
    ...(serverVersion === undefined ? {} : { serverVersion }),
    ...(serverIdentity === undefined ? {} : { serverIdentity }),
    ...(position === undefined ? {} : { position }),
    layout: 'files',
    copy: { of: { namespace, database, id }, record: source },
    store: withoutAccess(spec.storage),
    storeName: planned.storeName,
    plannedObjects: [...new Set([...(record.plannedObjects ?? []), ...planned.keys])],
    times: { ...record.times, dumping: planned.now.toISOString() },
    warnings: [...(record.warnings ?? []), ...planned.warnings],
  };
}

/** The record of a copy that can be restored. */
export function copiedRecord(
  record: BackupRecord,
  { archive, manifest, volumes, skipped }: CopyAnswer,
  { spec }: Pick<CopyConfig, 'spec'>,
  now: Date,
): BackupRecord {
  const at = now.toISOString();
  const objectOf = ({ stored, ...passed }: CopyAnswer['archive']): NonNullable<BackupRecord['objects']>[number] =>
    recordedObject(passed, { ...stored, parts: 1 }, spec.copy);
  return {
    ...record,
    phase: 'succeeded',
    objects: [objectOf(archive), objectOf(manifest)],
    ...(record.copy === undefined ? {} : { copy: { ...record.copy, volumes } }),
    times: { ...record.times, ready: at, finished: at },
    warnings: [...(record.warnings ?? []), ...skipped],
  };
}
