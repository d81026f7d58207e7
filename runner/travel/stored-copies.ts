/** How copies of records lie in a store, as exports that can be imported: read where no cluster has the record any more. */
import { BACKUP_ID_PATTERN, type BackupId, type BackupRecord, type ExportedBackup } from '../../src/contract';
import { asStillpointError, StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { ObjectStore } from '../storage/object-store';
import { type Owned, textOf } from '../storage/texts';
import { EXPORT_MAX_BYTES, parseImportable } from './document';

/** What the keys of all copies begin with. No dump does: its folder is called by its layout. */
export const COPIES_PREFIX = 'registry/';

/** Says whose records lie there. */
export const COPIES_OWNER = `${COPIES_PREFIX}owner.yaml`;

/** Who keeps copies: a registry, by the UID of its namespace. */
export interface CopiesOwner {
  readonly registry: string;
  readonly uid: string;
}

/** Refuses to touch the copies of another registry. Throws store-refused. */
export function assertOwnCopies(
  { name }: Pick<ObjectStore, 'name'>,
  owner: CopiesOwner,
  { registry, uid }: Owned,
): void {
  if (uid === owner.uid) return;
  throw new StillpointError(
    'store-refused',
    `${COPIES_OWNER} in ${name} says that the copies there are of another registry: namespace ${registry ?? '?'}, UID ${uid ?? '?'}`,
    {
      hint: 'give each registry a prefix of its own in recordCopies; to go on with those of a lost one, import them, then name another prefix',
    },
  );
}

/** A backup, as the key of its copy names it. */
export type CopyOf = Pick<BackupRecord, 'namespace' | 'database' | 'id'>;

/** The key of a backup's copy. */
export function copyKey({ namespace, database, id }: CopyOf): string {
  return `${COPIES_PREFIX}${namespace}/${database}/${id}.yaml`;
}

const KEY = new RegExp(`^${COPIES_PREFIX}([^/]+)/([^/]+)/([^/]+)\\.yaml$`);

/** Which backup a key is the copy of; undefined when it is none. Pure. */
export function copyNamedBy(key: string): CopyOf | undefined {
  const [, namespace, database, id] = KEY.exec(key) ?? [];
  if (namespace === undefined || database === undefined || id === undefined) return undefined;
  return new RegExp(BACKUP_ID_PATTERN).test(id) ? { namespace, database, id: id as BackupId } : undefined;
}

/** Of a dump the record lies beside it, and goes with it. Whether a backup had succeeded, its record does not say any more. */
export function mayHaveCopy({ mode, cuts }: Pick<BackupRecord, 'mode' | 'cuts'>): boolean {
  return mode !== 'dump' && cuts.length > 0;
}

/** The copies in a store, by their keys alone. */
export async function* storedCopies(store: ObjectStore, signal: AbortSignal, of = ''): AsyncGenerator<CopyOf> {
  for await (const page of store.list(`${COPIES_PREFIX}${of}`, { signal })) {
    for (const { key } of page) {
      const named = copyNamedBy(key);
      if (named !== undefined) yield named;
    }
  }
}

/** Reads one copy; undefined where there is none. Throws record-unreadable when it is no export, or one of another backup. */
export async function readStoredCopy(
  store: ObjectStore,
  of: CopyOf,
  signal: AbortSignal,
): Promise<ExportedBackup | undefined> {
  const key = copyKey(of);
  // One byte more than an export may have shows that it is none.
  const text = await textOf(store, key, EXPORT_MAX_BYTES + 1, signal);
  if (text === undefined) return undefined;
  const place = `${key} in ${store.name}`;
  const document = documentIn(text, place);
  if (recordPath(document.record) === recordPath(of)) return document;
  throw new StillpointError('record-unreadable', `record ${place} is of ${recordPath(document.record)}`);
}

function documentIn(text: string, place: string): ExportedBackup {
  try {
    const found = parseImportable(text, place);
    if ('document' in found) return found.document;
  } catch (thrown) {
    throw new StillpointError('record-unreadable', asStillpointError(thrown).message, { cause: thrown });
  }
  throw new StillpointError('record-unreadable', `record ${place} is that of a dump`);
}
