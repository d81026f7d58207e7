import type { JobConfig } from '../../src/contract';
import type { Engine, Target } from '../engine';
import type { Clock, Events, Locks, Log, Platform, Registry, Run, Slots, SnapshotStore } from '../ports';

/** What a backup needs of the world. */
export interface BackupContext {
  readonly config: JobConfig;
  /** The database's namespace. */
  readonly namespace: string;
  readonly run: Run;
  readonly engine: Engine;
  /** Read when it is needed: a missing credential is the backup's failure, not the program's. */
  readonly readTarget: () => Promise<Target>;
  readonly platform: Platform;
  readonly store: SnapshotStore;
  readonly registry: Registry;
  readonly locks: Locks;
  /** Turns at the snapshot controller; undefined where it need not be waited for. */
  readonly slots?: Slots | undefined;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the process is told to stop. */
  readonly signal: AbortSignal;
  readonly runnerVersion: string;
}
