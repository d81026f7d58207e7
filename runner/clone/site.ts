/** Where clones are made: the port that the clone command sees, beside that of restores. */
import type { CopyServer, PreparedFiles } from '../engine';
import type { Finding } from '../ports';
import type { UndoneRestore } from '../restore/site';
import type { ClonePlan } from './plan';

/** How far a clone has come. `prepared`: its scripts have run, and are not run again. */
export const CLONE_STAGES = ['making', 'prepared', 'ready'] as const;
export type CloneStage = (typeof CLONE_STAGES)[number];

/** A clone that there is. */
export interface CloneInfo {
  readonly namespace: string;
  readonly name: string;
  readonly series?: string | undefined;
  /** The backup that it is made of, as `shop/orders-db/20261121020000`. */
  readonly backup: string;
  readonly stage: CloneStage;
  readonly created: string;
  /** Whether a server of its own runs on it. */
  readonly workload: boolean;
}

/** How a clone's server is reached. */
export interface CloneAccess {
  /** As `orders-copy.staging.svc`. */
  readonly host: string;
  readonly port: number;
  readonly username: string;
  /** The Secret that holds username and password. */
  readonly secret: string;
}

/** A namespace of a cluster. */
export interface CloneSite {
  /** How far an earlier run of this very clone came; undefined when there was none. */
  stage(plan: ClonePlan, signal: AbortSignal): Promise<CloneStage | undefined>;
  /**
   * Names that are taken, what would take the clone for the original, the scripts, rights: before anything is made.
   * Throws clone-exists, clone-not-isolated and the like; answers with warnings.
   */
  check(plan: ClonePlan, signal: AbortSignal): Promise<readonly Finding[]>;
  /** Writes down that a clone is in the making, with a login of its own; answers how far an earlier run of it came. */
  begin(plan: ClonePlan, signal: AbortSignal): Promise<CloneStage>;
  advance(plan: ClonePlan, stage: CloneStage, signal: AbortSignal): Promise<void>;
  /** The Secret with the login of a clone that has a server. */
  loginOf(plan: ClonePlan): string;
  /** Makes the server that lasts and waits until it is ready. The command is made with the clone's own password. */
  open(
    plan: ClonePlan,
    prepared: PreparedFiles,
    serverWith: (password: string) => CopyServer,
    signal: AbortSignal,
  ): Promise<CloneAccess>;
  /** Where a server's files lie that {@link open} mounts. */
  readonly filesDirectory: string;
  /** Leads the name of a series to this clone, and answers with the clones of the series that it replaces. */
  turnTo(plan: ClonePlan, signal: AbortSignal): Promise<readonly string[]>;
  /** All clones, or those of a namespace. */
  list(namespace: string | undefined): Promise<readonly CloneInfo[]>;
  /** Removes all that a clone, or a series, is made of, and nothing else. Throws clone-not-found, delete-refused. */
  undo(namespace: string, name: string): Promise<UndoneRestore>;
  undoCommand(plan: ClonePlan): string;
}
