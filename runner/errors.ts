/** What the process answers to the shell. Documented in `stillpoint --help`. */
export const EXIT_CODES = {
  0: 'done',
  1: 'an unexpected error: please report it',
  2: 'bad usage, or a job config that cannot be read',
  3: 'refused by a check: nothing was touched',
  4: 'the backup failed; what it had made was undone, or is listed as left over',
  5: 'no such backup, policy or object',
  6: 'somebody else is at work on it: try again later',
  7: 'the restore, the import or the clone failed; what it had made is named, or gone',
  8: 'timed out, or was stopped, while waiting: what was waited for goes on',
  9: 'a database has no good backup as young as it should be (status --max-age)',
} as const;

/** One of {@link EXIT_CODES}. */
export type ExitCode = keyof typeof EXIT_CODES;

interface ErrorKind {
  readonly exitCode: ExitCode;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** What it means, for the documentation. */
  readonly means: string;
}

const refused = (means: string, retryable = false): ErrorKind => ({ exitCode: 3, retryable, means });
const failed = (means: string, retryable = true): ErrorKind => ({ exitCode: 4, retryable, means });

/** Every error code, with its exit code. Codes are stable: scripts and alerts match them. */
export const ERRORS = {
  'usage-invalid': { exitCode: 2, retryable: false, means: 'The command line is wrong.' },
  'config-invalid': { exitCode: 2, retryable: false, means: 'The job config does not fit its schema.' },
  'credentials-unreadable': refused('A file with credentials is missing or empty.'),
  'server-unreachable': refused('No connection to the database server came about.', true),
  'authentication-failed': refused('The server refused the user or the password.'),
  'tls-failed': refused('The TLS connection to the server could not be made or trusted.'),
  'privilege-missing': refused('The database user may not do what the backup needs.'),
  'server-version-unsupported': refused('The server is of a version that is not supported.'),
  'server-unsafe': refused("The server's settings make this kind of copy unsafe."),
  'member-unsuitable': refused('No member of the replica set, or no replica, is fit to be backed up now.', true),
  'server-not-traced': refused('The server that answers could not be traced to a pod.'),
  'session-not-direct': refused('Something between the runner and the server may give the session to somebody else.'),
  'volume-mismatch': refused("The server's own paths do not lie on the volumes of the policy."),
  'database-elsewhere': refused('What is to be backed up lies at another server than the one that the policy names.'),
  'volume-not-covered': refused("A claim that the server's pod mounts is in no policy."),
  'operator-conflict': refused('An operator runs the database, and would fight over what the backup holds.'),
  'probe-impatient': refused(
    "A probe of the server's container gives up sooner than the budget: a freeze that long may end in a restart or a failover. A warning.",
  ),
  'claim-not-found': refused('A claim does not exist.'),
  'resource-not-found': refused('The custom resource that a policy keeps with its backups does not exist.'),
  'claim-not-bound': refused('A claim has no volume yet.', true),
  'class-not-found': refused('A snapshot class or a storage class does not exist.'),
  'class-driver-mismatch': refused('A class is of another driver than the volume or its snapshot.'),
  'class-deletes': refused(
    'A snapshot class deletes what its snapshots hold together with them: a namespace deleted by mistake takes its backups along. A warning when a backup is taken.',
  ),
  'driver-unsafe': refused('The driver is known to copy a live file tree instead of cutting at one instant.'),
  'permission-missing': refused('The Kubernetes account may not do what the backup needs.'),
  'kubernetes-unreachable': refused('The Kubernetes API could not be reached.', true),
  'kubernetes-refused': refused('The Kubernetes API refused a request.'),
  'long-running-statement': refused(
    'A statement has been running for so long that a freeze would have to wait for it.',
    true,
  ),
  'backup-in-progress': {
    exitCode: 6,
    retryable: true,
    means: 'Another backup of this database, or of its server, is at work.',
  },
  'freeze-left': refused('A freeze of an earlier run is still there.'),
  'controller-busy': {
    exitCode: 6,
    retryable: true,
    means: 'Other backups have kept the snapshot controller busy for too long: nothing was frozen.',
  },
  'id-taken': { exitCode: 6, retryable: true, means: 'Another backup of this database has the same id.' },
  'record-conflict': { exitCode: 6, retryable: true, means: 'Somebody else has changed the record meanwhile.' },
  'guard-missing': refused(
    'No guard was there in time to undo what outlives the session of a runner that is gone: nothing was frozen.',
    true,
  ),
  'guard-acted': failed('The guard has undone the freeze, or is gone: what was cut after that is no backup.'),
  'hook-unsuitable': refused(
    'A hook cannot be run as the policy has it: its pod, its container or its path is not there.',
  ),
  'hook-failed': failed('A hook around the freeze failed, or did not end in time.'),
  'offline-unsuitable': refused('What runs on the volumes cannot be stopped and started again by its replicas.'),
  'freeze-failed': failed('The database could not be frozen.'),
  'freeze-timeout': failed('The freeze did not take hold within its own time limit.'),
  'budget-exceeded': failed(
    'Not every cut was seen within the budget: the database was let go, and there is no backup.',
  ),
  'cut-failed': failed('The storage could not cut a snapshot.'),
  'cut-lost': failed('A snapshot disappeared while the backup was at work.'),
  'session-lost': failed('The session that held the freeze ended before its time.'),
  'server-changed': failed(
    'The server became another one, was started anew, took another role or other volumes between the checks and the last cut.',
  ),
  'proof-failed': failed(
    'It could not be shown that the database stood still from before the first cut until after the last.',
  ),
  'tool-missing': refused("The engine's own tool is not in the image that the job runs in."),
  'image-unsuitable': refused('The image that the job runs in is of a kind that the runner does not work in.'),
  'tool-version': refused("The engine's own tool is too old for the server, or of another flavour."),
  'tool-failed': failed(
    "The engine's own tool failed, or ended without saying that it was done: nothing of its output is kept.",
  ),
  'stream-broken': failed('A stream was not taken to its end, or is not what was written: nothing of it is good.'),
  'identity-mismatch': refused('None of the identities that were given opens the encrypted dump.'),
  'decryption-failed': failed(
    'An encrypted dump does not authenticate: it was altered, cut short, or is none. Nothing of it is good.',
    false,
  ),
  'archive-refused': failed(
    'The archive of a copy is not what its manifest says, or was made to do harm: nothing of it is good.',
    false,
  ),
  'room-missing': refused('The volumes have less room than what would be written to them.'),
  'thaw-failed': failed('The database could not be let go in the ordinary way.', false),
  'ready-timeout': failed('The snapshots were cut, but did not become ready in time.'),
  'runner-lost': failed('The runner of this backup ended before it was done.'),
  interrupted: failed('The runner was told to stop.'),
  'directory-unusable': refused(
    'A folder for local backups, or of the files of a database, cannot be read or written.',
  ),
  'backup-not-found': { exitCode: 5, retryable: false, means: 'There is no such backup.' },
  'policy-idle': refused(
    'A policy takes no backup by itself: it is suspended, or its schedule never comes. A warning.',
  ),
  'database-not-found': { exitCode: 5, retryable: false, means: 'There is no policy and no backup of this database.' },
  'backup-overdue': {
    exitCode: 9,
    retryable: true,
    means: 'A database has no good backup as young as asked for.',
  },
  'policy-not-found': { exitCode: 5, retryable: false, means: 'There is no such policy (CronJob).' },
  'restore-not-found': { exitCode: 5, retryable: false, means: 'There is nothing of a restore of that name.' },
  'registry-not-found': { exitCode: 5, retryable: false, means: "The registry's namespace or folder does not exist." },
  'record-unreadable': { exitCode: 5, retryable: false, means: 'A record is not one that this version reads.' },
  'backup-not-restorable': refused('The backup has not succeeded: only one that has can be restored.'),
  'namespace-not-found': refused('The namespace to restore into does not exist.'),
  'restore-exists': refused('What the restore would make is there already; nothing is overwritten.'),
  'restore-failed': { exitCode: 7, retryable: true, means: 'The restored volumes could not be made or prepared.' },
  'restore-not-started': { exitCode: 7, retryable: true, means: 'The restored server did not come up.' },
  'restore-differs': { exitCode: 7, retryable: false, means: 'The restored server is not what the record says.' },
  'in-place-unsuitable': refused('The workload or the backup is of a kind that is not restored in place.'),
  'workload-contested': refused(
    'Something else sets the replicas of the workload: what is stopped would be started in the middle.',
  ),
  'restore-declined': refused('Nobody said yes to what the restore would replace.'),
  'in-place-stopped': {
    exitCode: 7,
    retryable: true,
    means:
      'A restore in place stopped on its way. Nothing is lost: the same command goes on with it, --undo goes back.',
  },
  'workload-not-found': { exitCode: 5, retryable: false, means: 'The workload of the backup is not there.' },
  'key-unusable': refused(
    'A key is missing, or is not of the kind that is needed: Ed25519 for signatures, age for dumps.',
  ),
  'import-invalid': {
    exitCode: 2,
    retryable: false,
    means: 'What is to be imported is no exported backup, or does not fit its schema.',
  },
  'signature-invalid': refused(
    'An exported backup carries no signature, one of another key, or one that does not fit: it was altered, or is of somebody else.',
  ),
  'import-exists': refused('What the import would make is there already, and is something else.'),
  'import-failed': {
    exitCode: 7,
    retryable: true,
    means: 'The storage does not know the snapshot, or the imported objects could not be made.',
  },
  'clone-not-found': { exitCode: 5, retryable: false, means: 'There is no clone of that name.' },
  'clone-exists': refused('What the clone would make is there already; nothing is overwritten.'),
  'clone-not-isolated': refused("A Service or a policy of the original's would take the clone for one of its own."),
  'clone-unsupported': refused('No server of its own can be made for a clone of this engine: claims alone can.'),
  'clone-script-failed': {
    exitCode: 7,
    retryable: false,
    means: 'A script that was to run on a clone failed: the clone was not opened.',
  },
  'clone-failed': {
    exitCode: 7,
    retryable: true,
    means: 'The clone could not be made, or its server did not come up.',
  },
  'delete-refused': refused('The backup may not be deleted, or is not ours.'),
  'position-missing': refused('The server keeps no log that a position could be one in. A warning of doctor.'),
  'retention-missing': refused('Nothing says what is kept of the backups of a policy: all are. A warning of doctor.'),
  'orphan-found': refused(
    'A snapshot, a content or an object in a store is of no backup on record. A warning of doctor: nothing removes it.',
  ),
  'snapshot-missing': refused('A good backup is on record, and its snapshot is gone. A warning of doctor.'),
  'lock-mismatch': refused(
    'The object lock of a store and the retention of a policy do not go together. A warning of doctor.',
  ),
  'lock-missing': refused('A policy locks what it stores, and its bucket has no object lock: each upload would fail.'),
  'versions-stay': refused(
    'A store keeps earlier versions of what is deleted, and those that delete there do not remove them: they stay, and cost. A warning of doctor.',
  ),
  'store-not-pruned': refused(
    'Backups lie in a store that the pruner was not told of: nothing of them is ever removed. A warning of doctor.',
  ),
  'dump-missing': refused('A good dump is on record, and its object is gone from the store. A warning of doctor.'),
  'protect-refused': refused('Only a backup that has succeeded can be protected.'),
  'backup-in-use': {
    exitCode: 6,
    retryable: true,
    means: 'The backup is being restored, verified or cloned: it is not deleted meanwhile.',
  },
  'delete-incomplete': {
    exitCode: 4,
    retryable: true,
    means: 'Some of what belongs to the backup could not be deleted yet.',
  },
  'wait-timeout': { exitCode: 8, retryable: true, means: 'What was waited for did not happen in time.' },
  'wait-stopped': { exitCode: 8, retryable: true, means: 'The command stopped waiting; what it waited for goes on.' },
  'wait-impossible': { exitCode: 4, retryable: false, means: 'What was waited for can no longer happen.' },
  'bucket-not-found': refused('The bucket, container or folder of an object store does not exist.'),
  'store-denied': refused('The object store knows the credentials, and they may not do what was asked.'),
  'store-credentials-refused': refused('The object store does not accept the credentials.'),
  'store-credentials-expired': refused('The credentials of the object store have expired.', true),
  'store-unreachable': failed('The object store did not answer, or answered that it cannot at present.'),
  'store-refused': failed('The object store refused a request.', false),
  'checksum-mismatch': failed(
    'The object store has other bytes than were sent, or does not confirm which: nothing of them is kept.',
  ),
  'object-not-found': { exitCode: 5, retryable: false, means: 'There is no such object in the object store.' },
  'object-exists': refused('There is an object of this name already; nothing is overwritten.'),
  'object-locked': refused('The object store keeps the object until its lock ends: it cannot be removed or replaced.'),
  'object-changed': failed('The object was replaced or removed while it was read.', false),
  internal: { exitCode: 1, retryable: false, means: 'A fault in Stillpoint itself.' },
} as const satisfies Record<string, ErrorKind>;

/** The stable name of an error. */
export type ErrorCode = keyof typeof ERRORS;

/** An error that people and scripts can act on: a sentence that names object and value, a code, and what to do. */
export class StillpointError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;
  /** What a failed backup could not remove: goes into its record, for the pruner. */
  leftovers: readonly string[] = [];

  constructor(
    code: ErrorCode,
    message: string,
    more: { readonly hint?: string; readonly cause?: unknown; readonly exitCode?: ExitCode } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'StillpointError';
    this.code = code;
    this.retryable = ERRORS[code].retryable;
    this.exitCode = more.exitCode ?? ERRORS[code].exitCode;
    this.hint = more.hint;
  }

  /** Adds to the sentence what was found out about it after it was made. */
  explain(found: string): void {
    this.message = `${this.message}; ${found}`;
  }
}

/** The error that a record tells of, with the code and the exit code that it had; `wait-impossible` for an unknown one. */
export function recordedError(
  { code, message, hint }: { readonly code: string; readonly message: string; readonly hint?: string | undefined },
  what: string,
): StillpointError {
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'wait-impossible';
  return new StillpointError(known, `${what}: ${message}`, hint === undefined ? {} : { hint });
}

/** Makes one of ours out of whatever was thrown. */
export function asStillpointError(thrown: unknown): StillpointError {
  if (thrown instanceof StillpointError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new StillpointError('internal', message, { cause: thrown });
}
