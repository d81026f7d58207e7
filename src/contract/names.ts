/**
 * How things are called. Both sides use these functions, so that a name is never put together in two places.
 */

/** The id of a backup: `yyyyMMddHHmmss` in UTC. */
export type BackupId = string;

/** The pattern that a {@link BackupId} matches. */
export const BACKUP_ID_PATTERN = '^\\d{14}$';

/** The pattern of a DNS label (RFC 1123), as Kubernetes wants it for most names. */
export const DNS_LABEL_PATTERN = '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$';

/** The pattern of a DNS subdomain name (RFC 1123), as for claims, Secrets and classes. */
export const DNS_SUBDOMAIN_PATTERN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';

/** CronJob names may have 52 characters: the controller appends 11 for its Jobs. */
export const CRON_JOB_NAME_MAX = 52;

/**
 * A Job with a guard is an Indexed one, whose pods have `<job>-<index>` as the name of their host: so its Job has two
 * characters less, and with it the CronJob.
 */
export const GUARDED_CRON_JOB_NAME_MAX = 50;

/** Names of Jobs end up in a label of their pods. */
export const JOB_NAME_MAX = 63;

/** The longest name of an Indexed Job, for the same reason as {@link GUARDED_CRON_JOB_NAME_MAX}. */
export const GUARDED_JOB_NAME_MAX = 61;

/** The longest name of most namespaced objects. */
export const OBJECT_NAME_MAX = 253;

/** Where the registry lives when nothing else is said. */
export const DEFAULT_REGISTRY_NAMESPACE = 'stillpoint';

/** The id of a backup that was asked for at an instant. */
export function backupId(asked: Date): BackupId {
  return asked.toISOString().replace(/[-:T]/g, '').slice(0, 14);
}

/** The instant that an id stands for, to the second. */
export function backupIdTime(id: BackupId): Date {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(id) ?? [];
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** How snapshots say in their names when they were asked for: by the whole id, or by the day. */
export const NAME_DATES = ['yyyyMMddHHmmss', 'YYYY-MM-DD'] as const;

/** How the names of a backup's snapshots end: by its id, unless a policy wants them by the day. */
export function nameStamp(id: BackupId, date: (typeof NAME_DATES)[number], others: readonly BackupId[] = []): string {
  if (date === 'yyyyMMddHHmmss') return id;
  const [day, time] = [`${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6, 8)}`, id.slice(8)];
  // Two of one day must not be called the same: the later one says its time too.
  return others.some((other) => other < id && other.startsWith(id.slice(0, 8))) ? `${day}-${time}` : day;
}

/** The name of the VolumeSnapshot of one volume in one backup; `stamp` is its id, or its {@link nameStamp}. */
export function snapshotName(database: string, volume: string, stamp: string): string {
  return `${database}-${volume}-${stamp}`;
}

/** The name of the VolumeGroupSnapshot of a backup. */
export function groupSnapshotName(database: string, stamp: string): string {
  return `${database}-${stamp}`;
}

/** The name of the content by which the storage is asked for a direct cut, by the UID that was made up for it. */
export function cutContentName(uid: string): string {
  return `stillpoint-cut-${uid}`;
}

/** The name of the content that stands for a direct cut ever after. */
export function directContentName(uid: string): string {
  return `stillpoint-snapshot-${uid}`;
}

/** The name of the content that an import makes, which has no namespace: the dot keeps the parts apart. */
export function importContentName(namespace: string, snapshot: string): string {
  return `${IMPORT_CONTENT_PREFIX}${namespace}.${snapshot}`;
}

/** What the names of all contents of imports begin with. */
export const IMPORT_CONTENT_PREFIX = 'stillpoint-import.';

/** The name of a record in the registry: namespaces and databases of the same name stay apart. */
export function recordName(namespace: string, database: string, id: BackupId): string {
  return `${namespace}.${database}.${id}`;
}

/** The pattern of {@link recordName}: a namespace has no dots, so the parts are known by it. */
export const RECORD_NAME_PATTERN = '^[^.]+\\..+\\.\\d{14}$';

/** The name of the Lease that one backup of a database holds while it works. */
export function leaseName(database: string): string {
  return `stillpoint-${database}`;
}

/**
 * The same of a dump: it may take hours, and keeps no snapshot waiting. The dot keeps it apart from the {@link leaseName} of
 * any other database.
 */
export function dumpLeaseName(database: string): string {
  return `stillpoint-${database}.dump`;
}

/** The init container that brings the runner into a pod of another image. */
export const INSTALL_CONTAINER = 'install';

/** The name of the pruner: of its account, its CronJob, and the Deployment that prunes when it is asked to. */
export const PRUNER_NAME = 'stillpoint-pruner';

/** The name of one of the Leases by which backups take turns at the snapshot controller. */
export function slotName(index: number): string {
  return `stillpoint-slot-${index}`;
}

/** The names of all of them. */
export function slotNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => slotName(index));
}

/**
 * The name of the Lease on which a runner and its guard meet. The dot keeps it apart from the {@link leaseName} of any
 * other database.
 */
export function guardLeaseName(database: string): string {
  return `stillpoint-${database}.guard`;
}

/** The indexes of the pods of a Job that has a guard. */
export const JOB_INDEX = { runner: 0, guard: 1 } as const;

/** The variable in which Kubernetes tells the pods of an Indexed Job their index. */
export const JOB_INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';

/** The label in which Kubernetes keeps it. */
export const JOB_INDEX_LABEL = 'batch.kubernetes.io/job-completion-index';

/** The longest name of a restore: it is a label's value, and names are made of it. */
export const RESTORE_NAME_MAX = 52;

/** How the objects are called that one restore makes besides its claims. */
export function restoreNames(restore: string): {
  /** The ConfigMap with the record: there from the first step to the last, so it also tells that a restore is at work. */
  readonly journal: string;
  /** The Job that makes the files fit to start. */
  readonly prepare: string;
  /** The pod of the throw-away server. */
  readonly server: string;
  /** The Job that lets a copy back into the original's world, in a restore in place. */
  readonly attach: string;
} {
  return {
    journal: `${restore}-restore`,
    prepare: `${restore}-prepare`,
    server: `${restore}-server`,
    attach: `${restore}-attach`,
  };
}

/** The name of the journal of a restore in place. */
export function inPlaceJournalName(workload: string, id: BackupId): string {
  return `${workload}-in-place-${id}`;
}

/**
 * What the names of accounts begin with that may delete contents and yet are held by the admission policy: of imports and of
 * clones.
 */
export const HELD_ACCOUNT_PREFIX = 'stillpoint-held-';

/** The longest name of a clone: it is a label's value, and names are made of it. */
export const CLONE_NAME_MAX = RESTORE_NAME_MAX;

/** How the objects are called that make a clone of restored claims. */
export function cloneNames(clone: string): {
  /** The StatefulSet. */
  readonly workload: string;
  readonly service: string;
  /** The ConfigMap that tells what it is a clone of, and how far it has come. */
  readonly book: string;
  /** The Secret with the login of its administrator. */
  readonly login: string;
  readonly networkPolicy: string;
} {
  return {
    workload: clone,
    service: clone,
    book: `${clone}-clone`,
    login: `${clone}-clone`,
    networkPolicy: `${clone}-clone`,
  };
}

/** The name of the VolumeSnapshot that a restore makes where the original is gone or in another namespace. */
export function restoreSnapshotName(restore: string, volume: string): string {
  return `${restore}-${volume}`;
}

/** The name of its content, which has no namespace: the dots keep the parts apart. */
export function restoreContentName(namespace: string, restore: string, volume: string): string {
  return `${RESTORE_CONTENT_PREFIX}${namespace}.${restore}.${volume}`;
}

/** What the names of all contents of restores begin with. */
export const RESTORE_CONTENT_PREFIX = 'stillpoint.';

/** The name of the claim that a StatefulSet makes from one of its volumeClaimTemplates for the pod of an ordinal. */
export function statefulSetClaimName(of: { name: string; volumeClaimTemplate: string; ordinal: number }): string {
  return `${of.volumeClaimTemplate}-${of.name}-${of.ordinal}`;
}
