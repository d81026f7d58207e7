/** Where restores are made: the port that the restore command sees. */
import type { Inspection, PreparedFiles, ServerCommand } from '../engine';
import type { Finding } from '../ports';
import type { RestorePlan } from './plan';

/** What a throw-away server on the restored volumes turned out to be. */
export interface StartedServer {
  readonly inspection: Inspection;
  /** How a person reaches it, as long as it is kept. */
  readonly reach: readonly string[];
}

/** What is done on a throw-away server once it is what the record says, before anybody else reaches the copy. */
export interface Opening {
  /** A ConfigMap beside the volumes: its entries are scripts, run in the order of their names. */
  readonly scripts?: string | undefined;
  /** A Secret beside the volumes: its `password` is the administrator's from then on. */
  readonly login?: string | undefined;
}

/** What was removed of a restore, and what stays although the restore has made it. Each as `claim shop/copy`. */
export interface UndoneRestore {
  readonly removed: readonly string[];
  readonly kept: readonly string[];
}

/** A namespace of a cluster, or folders of this machine. */
export interface RestoreSite {
  /**
   * Finds out all that can be known before anything is made: names that are taken, classes, snapshots, rights.
   * An earlier run of the same restore that never came to its end is not in the way: its work is gone on with.
   * Answers with warnings; throws restore-exists, backup-not-restorable, class-not-found and the like.
   */
  check(plan: RestorePlan, signal: AbortSignal): Promise<readonly Finding[]>;
  /** Makes the volumes; those that an earlier run has made stay as they are. */
  makeVolumes(plan: RestorePlan, signal: AbortSignal): Promise<void>;
  /** Has the engine prepare the files, where the volumes are mounted. Never done twice. */
  prepare(plan: RestorePlan, signal: AbortSignal): Promise<PreparedFiles>;
  /** Runs a throw-away server on the prepared volumes until it has been looked at. Throws restore-not-started. */
  start(
    plan: RestorePlan,
    prepared: PreparedFiles,
    server: ServerCommand,
    signal: AbortSignal,
    opening?: Opening,
  ): Promise<StartedServer>;
  /** Ends that server and waits until the volumes are free. */
  stop(plan: RestorePlan): Promise<void>;
  /** Removes what only served the making, of all parts of a restore. The volumes stay, and servers that were not stopped. */
  finish(plan: RestorePlan): Promise<void>;
  /** What there is of a restore now, each as `claim shop/copy`. */
  list(namespace: string, name: string): Promise<readonly string[]>;
  /** The command that removes it all, for messages. */
  undoCommand(plan: RestorePlan): string;
  /** Removes what a restore of this name has made, and nothing else. Throws delete-refused when it is in use. */
  undo(namespace: string, name: string): Promise<UndoneRestore>;
}

/** The folder in which a throw-away server and its inspector meet: both have it mounted there. */
export const SOCKET_DIRECTORY = '/run/stillpoint';
