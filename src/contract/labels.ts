import { DOMAIN } from './version';

/**
 * Every label, annotation and finalizer that Stillpoint sets, under one prefix.
 *
 * Labels are what one selects by, so they hold names only; everything else about a backup stands in its record.
 */
export const LABELS = {
  /** The value is always `stillpoint`: tools and people see who made an object. */
  managedBy: 'app.kubernetes.io/managed-by',
  /** What the object is to Stillpoint (`record`, `policy`, `snapshot`, `restore`, …): one selects all records by it. */
  component: `${DOMAIN}/component`,
  /** The engine's name: to list all backups of one kind of database. */
  engine: `${DOMAIN}/engine`,
  /** The database's name. Together with the namespace it is what a backup is a backup of. */
  database: `${DOMAIN}/database`,
  /** The database's namespace, on records: they live in the registry's namespace, not in the database's. */
  namespace: `${DOMAIN}/namespace`,
  /** The backup's id: ties snapshots, records and restored claims together. */
  backup: `${DOMAIN}/backup`,
  /** The plan's name of the volume that a snapshot or a claim holds. */
  volume: `${DOMAIN}/volume`,
  /** The record's phase, on records: what is restorable can be listed without reading the records. */
  phase: `${DOMAIN}/phase`,
  /** What started the backup: `scheduled`, `manual` or `pre-deployment`. */
  trigger: `${DOMAIN}/trigger`,
  /**
   * `true` on records that stay until somebody releases them: the API server lets nobody delete these, and no policy's
   * account change it.
   */
  protected: `${DOMAIN}/protected`,
  /**
   * `true` on records of which it is not known that what outlives the session of their runner was undone, `false` once it
   * is: a later run looks for these.
   */
  held: `${DOMAIN}/held`,
  /**
   * `true` on records of imported backups of which doctor has found that the storage does not have them any more, `false` when it has
   * them again: lists say so without reading the records.
   */
  snapshotMissing: `${DOMAIN}/snapshot-missing`,
  /** The name that one restore gave to all that it made: one command finds and removes it. */
  restore: `${DOMAIN}/restore`,
  /** The id of one restore in place, on its journal and on the claims that keep what is not in use: the way back goes by it. */
  inPlace: `${DOMAIN}/in-place`,
  /** The id of the backup that a snapshot was cut for together with others: of several databases and volumes, one batch. */
  batch: `${DOMAIN}/batch-id`,
  /** The policy that takes such batches: all snapshots of one database or group of databases, whenever they were cut. */
  group: `${DOMAIN}/snapshot-group`,
  /** The version of the server, on snapshots, as far as a label can hold it: which ones an older server could be started on. */
  serverVersion: `${DOMAIN}/server-version`,
  /** What a snapshot is without any log of its database: one of {@link SNAPSHOT_TYPES}. */
  type: `${DOMAIN}/backup-type`,
  /** What was about to be deployed when the backup was taken: a commit or a version, on Jobs, records and snapshots. */
  revision: `${DOMAIN}/revision`,
  /** The name of a clone, on all that was made for it besides its volumes: one command finds and removes it. */
  clone: `${DOMAIN}/clone`,
  /** `true` on the registry's namespace when somebody has said that it may go, with all records that are in it. */
  removable: `${DOMAIN}/removable`,
  /** The name under which clones replace each other, on a schedule: the newest is the one that is used. */
  cloneSeries: `${DOMAIN}/clone-series`,
} as const;

export const ANNOTATIONS = {
  /** The UID of the Job that took a snapshot. A snapshot is ours only when this and the record agree (safety rule 9). */
  jobUid: `${DOMAIN}/job-uid`,
  /** The pod of that Job, on snapshots: a Job's pods use the same names, and none removes in passing what another made. */
  pod: `${DOMAIN}/pod`,
  /** The server's version, on snapshots: they may outlive the registry. */
  serverVersion: `${DOMAIN}/server-version`,
  /** The log position at the cut, on snapshots, for the same reason. */
  position: `${DOMAIN}/position`,
  /** The file of the binary log at the cut, by itself, as a replica is set up with it. */
  binlogFile: `${DOMAIN}/binlog-file`,
  /** The offset in that file. */
  binlogPosition: `${DOMAIN}/binlog-position`,
  /**
   * When the removal of a content was last asked for. The CSI sidecar looks at a content again only when something on it
   * has changed: one whose deletion got stuck is moved on by it.
   */
  removalAsked: `${DOMAIN}/removal-asked`,
  /**
   * The beginning of the annotations on records by which it is known who works with a backup, one for each: a restore, a clone.
   * They are renewed, and count for nothing when they are not.
   */
  use: `${DOMAIN}/use-`,
  /** When the binding of a claim was last waited for: the volume controller looks at a claim again when something on it has changed. */
  bindingAsked: `${DOMAIN}/binding-asked`,
  /** What a runner asks of its guard, on the Lease where they meet: which backup, what is held where, for how long. */
  guardOrder: `${DOMAIN}/guard-order`,
  /** What the guard answers to that order, on the same Lease: that it is armed, or what it did. */
  guardAnswer: `${DOMAIN}/guard-answer`,
  /**
   * Where an imported snapshot comes from, on it and its content: what the storage holds belongs to somebody else, and a
   * person who cleans up by hand has to see that.
   */
  importedFrom: `${DOMAIN}/imported-from`,
  /**
   * What a restore has made beside its claims, on these: the custom resource of a copy, and its Secret. Its undoing removes what it
   * finds named here, without having to list Secrets.
   */
  madeWith: `${DOMAIN}/made-with`,
  /** How the snapshot was taken (the plan's layout): says whether a bare claim of it is enough to start from. */
  layout: `${DOMAIN}/layout`,
} as const;

/** Keeps a deleted record until its snapshots are gone too (safety rule 14). */
export const FINALIZER = `${DOMAIN}/data`;

/** The value of {@link LABELS.managedBy}. */
export const MANAGED_BY = 'stillpoint';

/** The values of {@link LABELS.component}. */
export const COMPONENTS = {
  record: 'record',
  snapshot: 'snapshot',
  restore: 'restore',
  inPlace: 'in-place',
  clone: 'clone',
  backup: 'backup',
  pruner: 'pruner',
  prunerOnDemand: 'pruner-on-demand',
  policy: 'policy',
  /** What is made for a copy while it is at work: its claims and its order. */
  copy: 'copy',
  /** The pod that reads the files of a copy. */
  copyWorker: 'copy-worker',
  /** A Secret beside a record: what may stand in no record. */
  kept: 'kept',
} as const;

/** The values of {@link LABELS.type}. */
export const SNAPSHOT_TYPES = {
  /** Something of the database was held still while it was cut, or its log was kept from before until after. */
  application: 'application-consistent',
  /** Nothing was held: its volumes were cut at one instant, and the server recovers as after a crash. */
  crash: 'crash-consistent',
} as const;

/** The longest value of a label. */
const LABEL_VALUE_MAX = 63;

/** A text as far as a label's value can hold it: letters, digits, `-`, `_` and `.`, with a letter or digit at both ends. */
export function labelValue(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .slice(0, LABEL_VALUE_MAX)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}
