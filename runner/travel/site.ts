/** Where exported backups are looked up and imported ones made: the ports that the two commands see. */
import type { BackupRecord, Cut, ExportedSnapshot } from '../../src/contract';
import type { ImportPlan } from './plan';

/** Looks up what a record's snapshots are called by the storage. */
export interface SnapshotSource {
  /** Throws backup-not-restorable where one is gone or its handle is not known. */
  handles(record: BackupRecord): Promise<readonly ExportedSnapshot[]>;
}

/** Looks for what imported backups name. */
export interface ImportedLook {
  /** What is gone, in words; nothing when the backup can still be restored, as far as its storage can be asked. */
  missing(record: BackupRecord, signal: AbortSignal): Promise<readonly string[]>;
}

/** The class of snapshots that an import is made with. */
export interface ImportClass {
  readonly name: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The imported snapshots, and what the storage does not tell of them. */
export interface ImportedSnapshots {
  readonly cuts: readonly Cut[];
  readonly warnings: readonly string[];
}

/** A namespace of a cluster. */
export interface ImportSite {
  /** Who imports, as the API server knows them; undefined where it does not say. */
  whoami(): Promise<string | undefined>;
  /** The id under which an earlier import of a bare handle has begun, and not come to its end. */
  begun(of: {
    readonly namespace: string;
    readonly database: string;
    readonly handle: string;
  }): Promise<string | undefined>;
  /** Throws namespace-not-found. */
  checkNamespace(namespace: string, signal: AbortSignal): Promise<void>;
  /**
   * All that can be known before anything is made: the namespace, names that are taken, rights. Answers with the class:
   * the one named, else that of the driver. Throws class-not-found, class-driver-mismatch, import-exists and the like.
   */
  check(plan: ImportPlan, className: string | undefined, signal: AbortSignal): Promise<ImportClass>;
  /** Makes contents and snapshots and waits until they are bound both ways and the storage knows the handles. */
  make(plan: ImportPlan, snapshotClass: ImportClass, signal: AbortSignal): Promise<ImportedSnapshots>;
  /** Removes what was made for a plan; the storage keeps what it has. Names what could not be removed. */
  remove(plan: ImportPlan): Promise<readonly string[]>;
}
