/** The record that lies beside a dump: by it a store alone is enough to restore. */
import { parse } from 'yaml';
import { type BackupId, type BackupRecord, DUMP_LAYOUTS, RECORD, validate } from '../../src/contract';
import { StillpointError } from '../errors';
import type { ObjectStore } from '../storage/object-store';
import { textOf } from '../storage/texts';
import { dumpFolder, RECORD_FILE } from './keys';

/** More is no record. */
const LONGEST_BYTES = 4 * 1024 * 1024;

/** Reads the record of one backup. Throws backup-not-found, and record-unreadable when it is of another one. */
export async function copyBeside(
  store: ObjectStore,
  of: { readonly namespace: string; readonly database: string; readonly id: BackupId },
  signal: AbortSignal,
): Promise<BackupRecord> {
  for (const layout of DUMP_LAYOUTS) {
    const key = `${dumpFolder(layout, of)}${RECORD_FILE}`;
    const text = await textOf(store, key, LONGEST_BYTES, signal);
    if (text !== undefined) return recordIn(text, `${key} in ${store.name}`, of);
  }
  const { namespace, database, id } = of;
  throw new StillpointError('backup-not-found', `there is no backup ${namespace}/${database}/${id} in ${store.name}`, {
    hint: 'look whether the storage has the prefix that the dump was written with',
  });
}

function recordIn(
  text: string,
  place: string,
  of: { readonly namespace: string; readonly database: string; readonly id: BackupId },
): BackupRecord {
  const document = parsed(text, place);
  const [problem] = validate(RECORD, document);
  if (problem !== undefined) throw unreadable(place, `does not fit: ${problem.path} ${problem.message}`);
  const record = document as BackupRecord;
  const { namespace, database, id } = record;
  if (namespace === of.namespace && database === of.database && id === of.id) return record;
  throw unreadable(place, `is of ${namespace}/${database}/${id}`);
}

function parsed(text: string, place: string): unknown {
  try {
    return parse(text);
  } catch (thrown) {
    throw unreadable(place, `is no YAML: ${(thrown as Error).message.split('\n')[0]}`);
  }
}

function unreadable(place: string, why: string): StillpointError {
  return new StillpointError('record-unreadable', `record ${place} ${why}`);
}
