/**
 * Objects of no backup on record, and dumps on record whose object is gone, of one database in one store. What is found is
 * said, and never removed: nothing is deleted on a guess (safety rule 9).
 */
import { BACKUP_ID_PATTERN, type BackupRecord, DUMP_LAYOUTS, type StoreConfig, storePlace } from '../../src/contract';
import { recordPath } from '../output/records';
import type { Finding, Registry, StoredRecord } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { databaseFolder, keysOf } from './keys';
import { storeOf } from './record';
import { isStoreOf } from './remover';

export interface ObjectOrphansContext {
  readonly registry: Pick<Registry, 'list'>;
  readonly store: ObjectStore;
  readonly storage: StoreConfig;
  readonly namespace: string;
  readonly database: string;
  readonly signal: AbortSignal;
}

/** The records are read before and after: a dump that begins, ends or is deleted meanwhile is neither kind. */
export async function objectOrphanFindings(context: ObjectOrphansContext): Promise<readonly Finding[]> {
  const { registry, store, namespace, database } = context;
  const before = await registry.list({ namespace, database });
  const found = await objectsByBackup(context);
  const after = await registry.list({ namespace, database });
  const known = new Set([...before, ...after].map(({ record }) => record.id));
  const unknown = [...found].filter(([id]) => !known.has(id));
  return [
    ...unknown.map(([id, keys]) => withoutRecord(`${namespace}/${database}/${id}`, keys, store)),
    ...(await withoutObject(context, goodIn(before), goodIn(after))),
  ];
}

/** The keys of the database's backups, by their ids. */
async function objectsByBackup({ store, signal, ...of }: ObjectOrphansContext): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const layout of DUMP_LAYOUTS) {
    const folder = databaseFolder(layout, of);
    for await (const page of store.list(folder, { signal })) {
      for (const { key } of page) {
        const [id = ''] = key.slice(folder.length).split('/');
        // What is called otherwise was not made by us.
        if (new RegExp(BACKUP_ID_PATTERN).test(id)) found.set(id, [...(found.get(id) ?? []), key]);
      }
    }
  }
  return found;
}

function goodIn(stored: readonly StoredRecord[]): readonly BackupRecord[] {
  return stored.map(({ record }) => record).filter(({ mode, phase }) => mode === 'dump' && phase === 'succeeded');
}

/** Each object is asked for by itself: an imported dump lies where the other cluster has put it. */
async function withoutObject(
  { store, storage, signal }: ObjectOrphansContext,
  before: readonly BackupRecord[],
  after: readonly BackupRecord[],
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const record of before) {
    const place = storeOf(record);
    const isHere =
      place !== undefined && storePlace(place) === storePlace(storage) && isStoreOf(record, storage, store.name);
    if (!isHere || !after.some(({ id }) => id === record.id)) continue;
    const missing: string[] = [];
    for (const key of keysOf({ objects: record.objects })) {
      if ((await store.head(key, { signal })) === undefined) missing.push(key);
    }
    if (missing.length > 0) findings.push(gone(recordPath(record), missing, store));
  }
  return findings;
}

function withoutRecord(path: string, keys: readonly string[], store: ObjectStore): Finding {
  const what = keys.length === 1 ? `object ${keys[0]} is` : `objects ${keys.join(', ')} are`;
  return {
    severity: 'warning',
    code: 'orphan-found',
    subject: `backup ${path}`,
    message: `${what} in ${store.name}, and there is no record of backup ${path}`,
    hint: 'nothing removes it: another cluster that has this bucket and prefix may have made it; with a record.yaml beside it, it can be imported',
  };
}

function gone(path: string, keys: readonly string[], store: ObjectStore): Finding {
  return {
    severity: 'warning',
    code: 'dump-missing',
    subject: `backup ${path}`,
    message: `backup ${path} is on record as good, and in ${store.name} there is no more ${keys.join(', ')}`,
    hint: 'it cannot be restored: find out who has removed the object, and delete its record',
  };
}
