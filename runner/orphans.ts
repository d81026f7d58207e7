/**
 * What belongs to no backup on record, and backups on record whose snapshots are gone. Pure. It is found and said, and never
 * removed: nothing is deleted on a guess (safety rule 9).
 */
import type { BackupRecord, Cut } from '../src/contract';
import { recordPath } from './output/records';

/** A snapshot, a group snapshot or a content, as far as it tells whose it is. */
export interface Stored {
  /** As `volumesnapshot/orders-db-data-20261121020000`. */
  readonly path: string;
  readonly uid: string;
  /** The backup that its labels name; undefined when it carries none of ours. */
  readonly backup?: { readonly id: string; readonly database: string; readonly jobUid: string | undefined } | undefined;
  /** Of a content: the snapshot that it stands for. */
  readonly of?: { readonly name: string; readonly uid: string | undefined } | undefined;
  readonly handle?: string | undefined;
}

/** All snapshots of one database's namespace, and their contents. */
export interface StoredSnapshots {
  readonly snapshots: readonly Stored[];
  /** Undefined where the account may not look. */
  readonly contents: readonly Stored[] | undefined;
}

/** Where {@link StoredSnapshots} come from. */
export interface Inventory {
  list(namespace: string): Promise<StoredSnapshots>;
}

export interface Orphan {
  readonly kind: 'without-record' | 'without-snapshot';
  /** The backup that it is of. */
  readonly id: string;
  /** What is there without a record, or the path of the backup whose snapshot is gone. */
  readonly subject: string;
  readonly message: string;
}

/** Orphans of either kind, of one database. `records` are all of it. */
export function findOrphans(
  database: string,
  records: readonly BackupRecord[],
  { snapshots, contents }: StoredSnapshots,
): readonly Orphan[] {
  const others = new Set(snapshots.filter(({ backup }) => backup?.database !== database).map(({ uid }) => uid));
  const ofOthers = ({ of }: Stored): boolean => of?.uid !== undefined && others.has(of.uid);
  return [
    ...[...snapshots, ...(contents ?? []).filter((each) => !ofOthers(each))].flatMap((each) =>
      withoutRecord(database, records, each),
    ),
    ...good(records).flatMap((each) => withoutSnapshot(each, snapshots, contents)),
  ];
}

/** Each once, however often it was read. */
function good(records: readonly BackupRecord[]): readonly BackupRecord[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  return [...byId.values()].filter(({ phase }) => phase === 'succeeded');
}

/** A content that the snapshot controller made carries no label of ours: by the name of its snapshot it may be one. */
function withoutRecord(database: string, records: readonly BackupRecord[], stored: Stored): readonly Orphan[] {
  const { path, backup, of } = stored;
  const id = backup?.database === database ? backup.id : idIn(of?.name, database);
  if (id === undefined) return [];
  const record = records.find((each) => each.id === id);
  if (record === undefined) {
    const how = backup === undefined ? ' by its name' : '';
    const message = `${path} is${how} of backup ${id}, of which there is no record`;
    return [{ kind: 'without-record', id, subject: path, message }];
  }
  if (backup?.jobUid === undefined || backup.jobUid === record.owner.jobUid) return [];
  const message = `${path} says that it is of backup ${recordPath(record)}, and another Job has made it`;
  return [{ kind: 'without-record', id, subject: path, message }];
}

function idIn(snapshot: string | undefined, database: string): string | undefined {
  if (snapshot === undefined || !snapshot.startsWith(`${database}-`)) return undefined;
  return /-(\d{14})$/.exec(snapshot)?.[1];
}

function withoutSnapshot(
  record: BackupRecord,
  snapshots: readonly Stored[],
  contents: readonly Stored[] | undefined,
): readonly Orphan[] {
  const missing = record.cuts.filter((cut) => !isThere(cut, snapshots, contents));
  if (missing.length === 0) return [];
  const path = recordPath(record);
  const names = missing.map(({ snapshot }) => snapshot).join(', ');
  const message = `backup ${path} is on record as good, and of its snapshots there is no more ${names}`;
  return [{ kind: 'without-snapshot', id: record.id, subject: path, message }];
}

/** A snapshot that is gone may live on in its content: from that it is restored. */
function isThere(cut: Cut, snapshots: readonly Stored[], contents: readonly Stored[] | undefined): boolean {
  if (snapshots.some(({ uid }) => uid === cut.uid)) return true;
  // Where nobody may look at contents, what cannot be seen is not said to be gone.
  if (contents === undefined) return cut.content !== undefined || cut.handle !== undefined;
  return contents.some(({ of, handle }) => of?.uid === cut.uid || (handle !== undefined && handle === cut.handle));
}
