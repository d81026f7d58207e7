/**
 * What the commands ask of the world, as interfaces. The commands and the executor see only these; main wires them.
 */
import type {
  BackupId,
  BackupRecord,
  Cut,
  Held,
  Phase,
  Policy,
  PolicyConfig,
  RecordedVolume,
  VolumeSelection,
} from '../src/contract';
import type { ErrorCode } from './errors';
import type { Marks } from './snapshot-marks';

/** Time, passed in so that no code reaches for it. */
export interface Clock {
  now(): Date;
  /** Milliseconds of a clock that never goes back. */
  monotonic(): number;
  /** Calls back after so many milliseconds, unless cancelled. */
  after(ms: number, callback: () => void): { cancel(): void };
}

/** Structured log lines; secrets never go in. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** One thing that a check found. `error` stops a backup before it touches anything. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'ok';
  readonly code: ErrorCode | 'ok';
  /** What was looked at, as `claim shop/data-orders-db-0`. */
  readonly subject: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** A volume of the plan: what the policy selects, resolved to what is there. */
export interface Volume extends RecordedVolume {
  /** The claim's namespace; empty for folders. */
  readonly namespace: string;
  /** Folders inside this one that are volumes of their own: a copy leaves them empty. Only folders have such. */
  readonly nested?: readonly string[] | undefined;
}

/** What is mounted where in the server's pod (or, without Kubernetes, the folders of the plan). */
export interface Mount {
  readonly path: string;
  /** The claim (or folder) that lies there; undefined for anything that is no claim (emptyDir, config, secret). */
  readonly claim: string | undefined;
  /** The name of the volume in the pod's spec. */
  readonly volume?: string | undefined;
  readonly subPath?: string | undefined;
  readonly readOnly?: boolean | undefined;
}

/** What the kubelet asks a container, again and again. */
export interface Probe {
  readonly kind: 'liveness' | 'readiness';
  readonly container: string;
  /** By its name in the pod's spec. */
  readonly how: 'exec' | 'httpGet' | 'grpc' | 'tcpSocket';
  /** How long it may go without success at least, in seconds, until the kubelet acts. */
  readonly seconds: number;
}

/** The operator that runs a server, and what it made it from. */
export interface Operator {
  /** By its name in operators.ts. */
  readonly name: string;
  readonly kind?: string;
  readonly object?: string;
}

/** The place that a server runs in, as far as it can be traced from its address. */
export interface ServerPlace {
  /** Changes when the server's pod is replaced, although its name stays. */
  readonly uid: string;
  readonly name: string;
  readonly node?: string | undefined;
  /** Where its server can be reached, when it was found by the name of its host. */
  readonly address?: string | undefined;
  readonly mounts: readonly Mount[];
  /** Of the server's container. */
  readonly probes?: readonly Probe[] | undefined;
  /** Undefined where nobody is known to run it but its user. */
  readonly operator?: Operator | undefined;
  /** What the record keeps of it for a restore. */
  readonly workload: BackupRecord['workload'];
}

/** Where databases and their volumes are: Kubernetes, or this machine. */
export interface Platform {
  /** Finds the claims that the policy selects. Throws claim-not-found. */
  resolveVolumes(selections: readonly VolumeSelection[]): Promise<readonly Volume[]>;
  /**
   * Finds what runs at a server's own address (undefined: a Unix socket) or, where it knows none, under the name of its
   * host; undefined when nothing there is known.
   */
  placeOf(address: string | undefined, hostname?: string): Promise<ServerPlace | undefined>;
  /** The account's missing permissions, as findings. */
  checkAccess(): Promise<readonly Finding[]>;
  /** The UID of the cluster, for the record. */
  clusterUid(): Promise<string | undefined>;
}

/** Labels and annotations of a snapshot, beyond what the store itself needs. */
export interface CutRequest {
  readonly id: BackupId;
  readonly database: string;
  readonly volumes: readonly Volume[];
  /** individually: one snapshot each, all asked for at once; together: one group snapshot, at one instant. */
  readonly how: 'individually' | 'together';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Files, relative to the volume, that a store which copies has to copy last. A cut at one instant needs no such thing. */
  readonly copyLast?: readonly string[] | undefined;
}

/** Snapshots of volumes, wherever they are kept. */
export interface SnapshotStore {
  /** Whether each volume's snapshot holds one instant. False: the copy of a volume takes time (a folder). */
  readonly atomic: boolean;
  /** The names that {@link cut} will ask for: they go into the record before anything is asked for. */
  names(request: Pick<CutRequest, 'id' | 'database' | 'volumes' | 'how'>): readonly string[];
  /** Classes, drivers, bound volumes: all that can be known before anything is touched. */
  check(volumes: readonly Volume[], how: CutRequest['how']): Promise<readonly Finding[]>;
  /**
   * Does what a cut needs and what can be done before: nothing else is asked for while a database is held. What it opens is open
   * until its answer is disposed of. Left out where there is nothing to prepare.
   */
  prepare?(request: Pick<CutRequest, 'id' | 'database' | 'how'>, signal: AbortSignal): Promise<Disposable>;
  /**
   * Asks for all snapshots at once and answers when every cut has been seen. Rejects when one cannot be made any more,
   * and with the signal's reason when that is aborted; what was asked for is then still there: {@link discard} it.
   */
  cut(request: CutRequest, signal: AbortSignal): Promise<readonly Cut[]>;
  /** Waits until all can be restored from; the cuts come back with readyAt, restoreSize and handle filled in. */
  ready(cuts: readonly Cut[], signal: AbortSignal): Promise<readonly Cut[]>;
  /** Writes on a snapshot what is known of it by now. Left out where snapshots carry nothing but what they were made with. */
  mark?(cut: Cut, marks: Marks, signal: AbortSignal): Promise<void>;
  /**
   * Removes the snapshots of a backup that is none. Names what could not be removed yet. Only what carries our owner
   * labels and the given Job's UID is touched (safety rule 9).
   */
  discard(owner: {
    readonly id: BackupId;
    readonly jobUid: string;
    /**
     * Only what this pod of the Job has made. One that was taken for lost and wakes up must not remove what the Job's
     * next pod has made under the same names. All that the Job has made when left out.
     */
    readonly pod?: string | undefined;
    readonly names: readonly string[];
  }): Promise<readonly string[]>;
  /**
   * Looks whether the cuts of a record are there, and cut: what a second pod of a Job does with what the first left.
   */
  find(record: BackupRecord): Promise<readonly Cut[]>;
}

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
export type RecordSummary = Pick<BackupRecord, 'namespace' | 'database' | 'id' | 'engine' | 'phase' | 'trigger'>;

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
  /** Removes the record itself, with its finalizer: everything it stands for must be gone. */
  remove(stored: StoredRecord): Promise<void>;
  /** The record as it is now and after each change, undefined while there is none; ends when the signal aborts. */
  follow(
    name: { readonly namespace: string; readonly database: string; readonly id: BackupId },
    signal: AbortSignal,
  ): AsyncIterable<StoredRecord | undefined>;
}

/** Who removes what is not kept; asked when a backup has ended. */
export interface Pruner {
  ask(): Promise<void>;
  /** What its own pod does when it has pruned: who asks from here on has another one started. */
  rest(): Promise<void>;
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

/** What is kept of the backups of each policy, as it holds now. */
export interface Policies {
  list(): Promise<readonly Policy[]>;
}

/** A policy as the cluster runs it: its CronJob. */
export interface Schedule {
  readonly namespace: string;
  readonly policy: string;
  /** The database that it backs up. */
  readonly database: string;
  /** A cron expression. */
  readonly expression: string;
  readonly timeZone: string;
  readonly suspended: boolean;
  /** When its last backup was due. */
  readonly lastRun?: string | undefined;
}

/** What has happened in a namespace, as Kubernetes has it for an hour. */
export interface PastEvent {
  readonly at: string;
  readonly type: string;
  readonly reason: string;
  /** As `job/orders-db-backup-29400137`. */
  readonly object: string;
  readonly message: string;
}

/** The policies of a cluster, by their CronJobs. */
export interface Schedules {
  list(where: Pick<RecordFilter, 'namespace' | 'database'>): Promise<readonly Schedule[]>;
  /** What a policy's Jobs are told; undefined for who may not read it. */
  configOf(schedule: Schedule): Promise<PolicyConfig | undefined>;
  /** The Events of a policy's backups, oldest first; none for who may not read them. */
  events(schedule: Schedule): Promise<readonly PastEvent[]>;
}

/** What a guard is asked to do, should this runner be gone before it says that it is done. */
export interface GuardOrder {
  readonly id: BackupId;
  readonly jobUid: string;
  /** The Job's pod that asks: its next pod asks anew. */
  readonly pod?: string | undefined;
  readonly held: readonly Held[];
  readonly budgetMs: number;
}

/** What a guard did. */
export interface GuardReport {
  readonly guard: string;
  /** Why, as a part of a sentence. */
  readonly why: string;
  readonly at: string;
  readonly done: readonly string[];
}

/** A guard that is connected to every server of its order, with its deadline armed. */
export interface ArmedGuard {
  /** Aborts when the guard has acted, or is gone: what is frozen is not guarded any more. */
  readonly lost: AbortSignal;
  /** What the guard did; undefined as long as it only watches. */
  readonly report: GuardReport | undefined;
  /** Nothing is held any more: the guard is let go. Never throws. */
  release(): Promise<void>;
}

/**
 * Other processes that undo a freeze which outlives its session (safety rule 8): another pod of the same Job, by
 * preference on another node.
 */
export interface Guards {
  /** Answers when a guard is connected and armed: before anything is frozen. Throws guard-missing when none comes in time. */
  arm(order: GuardOrder, signal: AbortSignal): Promise<ArmedGuard>;
  /** What the guard of a backup did, if it is known that it did anything. */
  reportOn(order: Pick<GuardOrder, 'id' | 'jobUid'>): Promise<GuardReport | undefined>;
}

/** What a guard answers to its order. */
export type GuardAnswer =
  | { readonly state: 'armed' }
  /** It cannot do what it is asked, or can do it no longer: whatever is held has to be let go. */
  | { readonly state: 'unable'; readonly why: string }
  | { readonly state: 'acted'; readonly why: string; readonly at: string; readonly done: readonly string[] };

/** The guard's own end: what its Job's runner asks of it. Nothing here waits for an answer of the cluster. */
export interface GuardPost {
  /** The order that stands, as last seen; the same object as long as it stands. Undefined: there is none, or it was let go. */
  readonly order: GuardOrder | undefined;
  /** Whether the pod that gave the order is gone, or its runner has ended. As long as nobody answers: no. */
  readonly runnerGone: boolean;
  /** Whether the Job needs no guard any more. */
  readonly ended: boolean;
  /** Resolves after so many milliseconds, or as soon as something of the above has changed. */
  pause(ms: number): Promise<void>;
  /** Answers the order that stands, again and again until it is written down. */
  answer(order: GuardOrder, answer: GuardAnswer): void;
  /** Resolves when what was answered last is written down, or cannot be within a few seconds; ends the watching. */
  close(): Promise<void>;
}

/** The pods of Jobs, for those who find what one of them has begun. */
export interface Runners {
  /** Whether a Job's pod has ended, or is not there any more. */
  isGone(pod: string): Promise<boolean>;
  /** Whether no pod of a Job is at work any more, neither its runner nor its guard. */
  haveEnded(jobUid: string): Promise<boolean>;
}

/** Removes what a record stands for: snapshots, their contents, objects. Only what is ours (safety rule 9). */
export interface Remover {
  /** Names what could not be removed yet; empty when all is gone. The record itself stays. */
  remove(stored: StoredRecord): Promise<readonly string[]>;
  /** Removes only what the record lists as left over by an attempt that failed; its own snapshots stay. */
  removeLeftovers(stored: StoredRecord): Promise<readonly string[]>;
}

/** Held while a backup of one database works; `lost` aborts when somebody else has taken it. */
export interface Lease {
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/** One holder at a time. */
export interface Locks {
  /** Throws backup-in-progress when somebody else holds it. */
  acquire(name: string, holder: string): Promise<Lease>;
}

/** A turn at what is slow for the whole cluster. */
export interface Slot {
  /** Gives it back after so many milliseconds: until then the next one would find it tired. */
  release(restMs: number): Promise<void>;
}

/** Turns at the snapshot controller: they are waited for before anything is frozen. */
export interface Slots {
  /** Waits for a turn; undefined where nobody gives any. Throws controller-busy when none comes in time. */
  take(signal: AbortSignal): Promise<Slot | undefined>;
}

/** Kubernetes Events on what the runner works for; without a cluster, log lines. */
export interface Events {
  emit(type: 'Normal' | 'Warning', reason: EventReason, message: string): Promise<void>;
}

/** The reasons of our Events. */
export type EventReason = 'Starting' | 'SuccessfulSnapshot' | 'FailedSnapshot' | 'GuardActed';

/** Who this run is: the Job that it belongs to, or a person's command. */
export interface Run {
  readonly id: BackupId;
  readonly owner: BackupRecord['owner'];
  readonly trigger: BackupRecord['trigger'];
  readonly image?: string | undefined;
}
