/** What an engine has to offer. One folder under engines/ implements it; nothing else knows an engine by its name. */
import type { BackupRecord, EngineName, Held, JobConfig } from '../src/contract';
import type { CopyOfResource, EngineCopy, ResourceOfCopy } from './engine-copy';
import type { CutRequest, Finding, Log, Volume } from './ports';
import type { PreparedFiles } from './prepared-files';
import type { Target } from './target';
import type { EngineOnline } from './tools/online';
import type { EngineDump } from './tools/tool';

export type { CopyRequest, CopyServer, EngineCopy, Script } from './engine-copy';
export type { PreparedFiles } from './prepared-files';
export { NO_TARGET, type Target, type TlsMaterial } from './target';

/** A path of the server's own, and what lies there. */
export interface ServerPath {
  readonly role: Volume['role'];
  /** What it is, for messages: `data_directory`, `tablespace fast`. */
  readonly what: string;
  /** Undefined when the session may not look where it is. */
  readonly path: string | undefined;
  /** Mounted paths that it may lie on all the same: they were too deep to be searched to the end. */
  readonly unsearched?: readonly string[] | undefined;
}

/** What a session says of its server. */
export interface Server {
  /** The server's own address; undefined over a Unix socket, and where it does not know one. */
  readonly address: string | undefined;
  /** The name of its host, in place of an address that it does not know: a pod's name, which {@link EngineSession.isAt} confirms. */
  readonly hostname?: string | undefined;
  readonly version: string;
  readonly flavour?: string | undefined;
  /**
   * What names a cluster that has something in common for all of its servers, as a balancer: backups of it wait for each
   * other, whichever of its servers they hold.
   */
  readonly cluster?: string | undefined;
  /** What names the database cluster itself, for the record. */
  readonly identity: Readonly<Record<string, string>>;
  /** Settings that a restore needs or that qualify the guarantee. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What the engine is asked to plan. */
export interface PlanRequest {
  readonly id: string;
  readonly volumes: readonly Volume[];
  readonly layout: NonNullable<JobConfig['spec']['layout']>;
  readonly groupClass: boolean;
  /** Whether a snapshot of a volume holds one instant in this store. */
  readonly atomicStore: boolean;
  readonly options: Readonly<Record<string, string>>;
  /** Whether the server is one of several that are cut together: then writes have to stand still until all are. */
  readonly standstill?: boolean | undefined;
  /** Whether the server is stopped while its volumes are cut: the plan is of what there is to do without it. */
  readonly offline?: boolean | undefined;
}

/** A step of a plan: something of the engine's own, or a cut of some volumes. */
export type PlanStep =
  | {
      readonly kind: 'act';
      readonly name: string;
      /** The freeze (or backup mode) begins when the first such step has ended well. */
      readonly freezes?: boolean;
      /** It may hold something as soon as it begins: its own time counts for the budget. */
      readonly holdsFromStart?: boolean;
      /** It changes nothing and may take long: of several members it is over before any of them is held. */
      readonly waits?: boolean;
      /** It looks whether what was made before still is what is to be cut: the turn for the cut is waited for before it, not after. */
      readonly takesTurn?: boolean;
      readonly run: (within: StepContext) => Promise<void>;
    }
  | {
      readonly kind: 'cut';
      readonly volumes: readonly string[];
      readonly how: CutRequest['how'];
      /** Files that a store which copies has to copy last, relative to the volume: see {@link CutRequest.copyLast}. */
      readonly copyLast?: readonly string[];
    };

/** What a step may use: the time that is left, and the signal that ends it. */
export interface StepContext {
  readonly signal: AbortSignal;
  /** Milliseconds left of the budget. */
  readonly remainingMs: () => number;
}

/** How one backup will be taken: an ordered list of steps, and what undoes them. */
export interface Plan {
  /** Recorded: atomic, group, backup-mode, … */
  readonly layout: string;
  /** What stands still between freeze and thaw. `nothing`: crash recovery makes the copy consistent. */
  readonly freezes: 'nothing' | 'log-recycling' | 'table-definitions' | 'writes' | 'everything';
  /**
   * Whether writes wait for a moment all the same, before the cuts: of two pauses of one server the end of one ends both, so
   * other backups of it wait for this one.
   */
  readonly pausesBriefly?: boolean;
  /** Whether any one instant is as good as any other, and nothing has to stand still for it: a group may cut all at once. */
  readonly atOneInstant?: boolean;
  /** A sentence on what the plan guarantees and how, for the record's proof. */
  readonly statement: string;
  readonly steps: readonly PlanStep[];
  /**
   * What stays in force when the session ends: recorded before the first step, undone by the thaw, else by the guard or by
   * a later run. Left out where all that is held ends with the session.
   */
  readonly held?: readonly Held[];
  /** Facts on the session and its server that must be the same before the first cut and after the last. */
  readonly observe: (within: StepContext) => Promise<Readonly<Record<string, string>>>;
  /** Lets the database go. Called exactly once when any step has run, also after a failure; must not throw when nothing is held. */
  readonly thaw: (within: StepContext) => Promise<void>;
  /** How long the thaw may take, where that is longer than usual. */
  readonly thawMs?: number;
  /** Waits until what was stopped serves again, after the thaw. Of plans that stop something. */
  readonly back?: (signal: AbortSignal) => Promise<{ readonly downtimeMs: number }>;
  /** What the steps have found out, asked for after the thaw: the position, small files for the restore. */
  readonly results: () => PlanResults;
}

export interface PlanResults {
  readonly position: Readonly<Record<string, string>>;
  readonly artifacts: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** One connection to one server: all that is done to the database in a backup is done on it (safety rule 1). */
export interface EngineSession {
  readonly server: Server;
  /**
   * The server's own paths, as its session tells them. The places where something is mounted help to find what the
   * session cannot name by itself (PostgreSQL has no function that reads where the link pg_wal leads).
   */
  paths(mountPaths: readonly string[]): Promise<readonly ServerPath[]>;
  /** Privileges, settings, version, long statements, freezes left behind: before anything is touched. */
  check(request: PlanRequest): Promise<readonly Finding[]>;
  /** Throws usage-like errors (volume-mismatch, server-unsafe) when the request cannot be met. */
  plan(request: PlanRequest): Plan;
  /** Connects anew through the configured host and says who answers there now: the same facts as {@link Plan.observe} where they name the server. */
  whoAnswers(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Whether the server of this session, and no other, answers at an address. Of engines whose servers do not know their own. */
  isAt?(address: string): Promise<boolean>;
  /**
   * Sessions with the other servers that hold parts of the same data, as the masters of a cluster do: they are frozen, cut
   * and let go together with this one. Of engines whose data may be spread.
   */
  others?(signal: AbortSignal): Promise<readonly EngineSession[]>;
  /** Ends when the session is lost without having been closed. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/** Undoes what outlives its session, in a process that has not frozen anything itself. Of engines with such freezes. */
export interface EngineGuard {
  /**
   * Connects to the very server that a plan is going to hold, before it does: a locked server may let nobody new in.
   * Throws as {@link Engine.open} does, and server-changed when another server than the one that was held answers there:
   * what was held has gone with that.
   */
  open(target: Target, held: Held, log: Log, signal: AbortSignal): Promise<GuardSession>;
}

/** A guard's own connection to one server. */
export interface GuardSession {
  /** Whether something of what is to be undone is in force now; undefined where nobody can see that from outside. */
  holds(signal: AbortSignal): Promise<boolean | undefined>;
  /**
   * Puts it back, and nothing that others have set meanwhile; answers in words what was done, with nothing when there was
   * nothing to do. Idempotent.
   */
  undo(signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Whether its runner begins it by one request, sent once: what was undone of it when that runner had ended does not come
   * again. Left out of several changes, of which one may be on its way still, and of what nobody can see.
   */
  readonly isOneChange?: boolean;
  /** Ends when the connection is lost without having been closed. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/** What a restored copy needs before and at its first start. */
export interface EngineRestore {
  /**
   * Makes restored files fit to start, and detached from the original's world (safety rule 13). Runs where the volumes
   * are mounted. Idempotent: a second call finds the work done.
   */
  prepare(
    volumes: readonly MountedVolume[],
    record: BackupRecord,
    log: Log,
    how?: { /** The copy takes the original's place, once it was looked at. */ readonly inPlace?: boolean },
  ): Promise<PreparedFiles>;
  /**
   * Undoes what {@link prepare} has done to keep the copy out of the original's world, and nothing else: it is about to take
   * the original's place. No server runs on the files, but one has, to its end. Idempotent. Left out where the files are
   * the same either way.
   */
  attach?(volumes: readonly MountedVolume[], record: BackupRecord, log: Log): Promise<PreparedFiles>;
  /**
   * The custom resource of a copy: what the record keeps of the original's, for the restored volumes. Pure. Left out where no
   * control plane is known.
   */
  resource?(record: BackupRecord, copy: CopyOfResource): ResourceOfCopy;
  /** What a restore in place cannot keep as it was, or why it is refused. Pure. */
  inPlace?(record: BackupRecord): readonly Finding[];
  /** The command of a throw-away server on prepared volumes: it listens on a Unix socket in the given folder. */
  server(record: BackupRecord, prepared: PreparedFiles, socketDirectory: string): ServerCommand;
  /** Waits until a throw-away server accepts connections, and reads its position. */
  inspect(socketDirectory: string, record: BackupRecord, signal: AbortSignal): Promise<Inspection>;
  /**
   * Whether files can be restored of which no record says what server wrote them, and how: the files say it themselves.
   * False: what is not known would be guessed.
   */
  readonly withoutRecord: boolean;
  /**
   * The volumes of a database of this engine where it has several, the data first: with a snapshot of each they are imported without a
   * record, and {@link prepare} judges whether they belong together. Left out: such a database has one.
   */
  readonly bareVolumes?: readonly BareVolume[];
  /** Servers that last, for clones. Left out: a clone is claims alone. */
  readonly copy?: EngineCopy;
}

/** A volume that every database of an engine has, whoever runs it. */
export interface BareVolume {
  readonly name: string;
  readonly role: Volume['role'];
  /** Where its server has it mounted. */
  readonly mountPath: string;
}

export interface MountedVolume {
  readonly name: string;
  readonly role: Volume['role'];
  /** Where the volume is mounted now: the same path that the server will have it at, or its links would lead astray. */
  readonly path: string;
}

export interface ServerCommand {
  readonly command: readonly string[];
  /** Undefined when it listens on its socket alone. */
  readonly port?: number;
  /** What opens a session with it inside its own container, for people: `psql -h /run/stillpoint …`. */
  readonly client?: readonly string[];
}

export interface Inspection {
  readonly version: string;
  readonly identity: Readonly<Record<string, string>>;
  readonly position: Readonly<Record<string, string>>;
  /** Whether identity and position fit the record, each with a sentence. */
  readonly findings: readonly Finding[];
}

/** A kind of database. */
export interface Engine {
  readonly name: EngineName;
  readonly capabilities: {
    /** Whether a freeze goes on when its session ends: such an engine needs a guard. */
    readonly freezeOutlivesSession: boolean;
    /** Whether the server may be stopped for a backup: what is left to do works without it. */
    readonly mayBeOffline: boolean;
    /** Whether there is a server at all: plain volumes have none, and nothing to freeze. */
    readonly hasServer: boolean;
    /** Whether a server comes up on restored volumes by itself, so that one can be started to look at them. */
    readonly startsAlone: boolean;
  };
  readonly defaultPort: number;
  /** Opens the one session. Throws server-unreachable, authentication-failed, tls-failed, session-not-direct. */
  open(target: Target, log: Log, signal: AbortSignal): Promise<EngineSession>;
  /** Variables in the manifest of its pod that say what its server does; none of them holds a secret. */
  readonly podEnvironment?: readonly string[];
  /** There exactly when a freeze may outlive its session. */
  readonly guard?: EngineGuard;
  readonly restore: EngineRestore;
  /** The engine's own tools that write and read dumps. Left out where none is known yet. */
  readonly dump?: EngineDump;
  /** Backups that the engine's own tool takes as files from a running server. Left out where none does. */
  readonly online?: EngineOnline;
}
