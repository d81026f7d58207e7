/** The records of backups, and who works with them. */
import type { BackupId, BackupRecord, Phase } from '../../src/contract';

/** A record together with the version that a compare-and-swap needs. */
export interface StoredRecord {
  readonly record: BackupRecord;
  readonly version: string;
  /** Whether somebody has asked for its deletion (`kubectl delete`): the next prune removes it with its data. */
  readonly deletionRequested: boolean;
  /** Whether its removal has begun: what it stands for may be gone in part. */
  readonly removalBegun?: boolean | undefined;
  /** Who works with the backup at present. */
  readonly uses?: readonly UseMark[] | undefined;
}

/** A mark on a record: somebody works with the backup. */
export interface UseMark {
  readonly token: string;
  /** Who, as `restore shop/orders-copy`. */
  readonly what: string;
  /** What its owner has written last: a mark that stays the same for its whole duration is nobody's any more. */
  readonly written: string;
}

/** What is known of a record without reading it: enough to list, to choose and to name it. */
export type RecordSummary = Pick<BackupRecord, 'namespace' | 'database' | 'id' | 'engine' | 'phase' | 'trigger'> & {
  /** Of an imported backup: whether what it would be restored from is known to be gone. */
  readonly missing?: boolean;
};

/** What to list. Everything that is left out matches. */
export interface RecordFilter {
  readonly namespace?: string | undefined;
  readonly database?: string | undefined;
  readonly id?: BackupId | undefined;
  /** By labels, as kubectl's -l has it. Records in folders have none. */
  readonly selector?: string | undefined;
  readonly engine?: string | undefined;
  readonly phases?: readonly Phase[] | undefined;
  /** Only those of which it is not known that what outlives their session was undone. */
  readonly held?: boolean | undefined;
}

/** All the records. */
export interface Registry {
  /** Throws id-taken when there is one of this name. */
  create(record: BackupRecord): Promise<StoredRecord>;
  /** Throws record-conflict when the version is not the newest. */
  update(stored: StoredRecord, record: BackupRecord): Promise<StoredRecord>;
  get(namespace: string, database: string, id: BackupId): Promise<StoredRecord | undefined>;
  /** Newest first. */
  list(filter: RecordFilter): Promise<readonly StoredRecord[]>;
  /** A page at a time, in the order of their names: however many there are, few are held. */
  pages(filter: RecordFilter): AsyncIterable<readonly StoredRecord[]>;
  /**
   * As {@link pages}, without reading the records. Good for choosing: whoever acts on a record reads it, since only its
   * content says for sure what it is.
   */
  summaries(filter: RecordFilter): AsyncIterable<readonly RecordSummary[]>;
  /** What a person types to ask for a record's deletion without `stillpoint delete`; undefined where there is no such way. */
  deletionCommand(record: BackupRecord): string | undefined;
  /**
   * Keeps beside a record what may not stand in it, and answers with the name of the object: it goes with the record. What was
   * kept before stays as it is. Undefined where there is nothing to keep it in.
   */
  readonly keepSecret?: (stored: StoredRecord, values: Readonly<Record<string, string>>) => Promise<string>;
  /** Removes the record itself, with its finalizer: everything it stands for must be gone. */
  remove(stored: StoredRecord): Promise<void>;
  /** The record as it is now and after each change, undefined while there is none; ends when the signal aborts. */
  follow(
    name: { readonly namespace: string; readonly database: string; readonly id: BackupId },
    signal: AbortSignal,
  ): AsyncIterable<StoredRecord | undefined>;
}

/** A backup that somebody works with, until it is disposed of: neither a prune nor a deletion takes it away meanwhile. */
export interface Use extends AsyncDisposable {
  /** The record as it was when it was marked. */
  readonly record: BackupRecord;
  /** Aborts when the backup is being removed all the same: its record was deleted by hand. */
  readonly lost: AbortSignal;
}

/** Marks on records that say who works with a backup. */
export interface Uses {
  /** Marks a good backup. Throws backup-not-restorable when it is none any more. A mark whose process is gone ends by itself. */
  begin(stored: StoredRecord, what: string): Promise<Use>;
  /** Waits until each mark of a record was renewed, or was not for its duration; answers with those whose process is gone. */
  stale(stored: StoredRecord): Promise<readonly UseMark[]>;
}
