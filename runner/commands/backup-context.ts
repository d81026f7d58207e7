import { JOB_DEFAULTS, type SnapshotConfig } from '../../src/contract';
import type { MemberSource } from '../member';
import type { Inventory } from '../orphans';
import type {
  Clock,
  Events,
  Guards,
  Locks,
  Log,
  Outside,
  Platform,
  Policies,
  Pruner,
  Registry,
  Run,
  Runners,
  Slots,
  SnapshotStore,
} from '../ports';

/** What a backup needs of the world. */
export interface BackupContext {
  readonly config: SnapshotConfig;
  /** The database's namespace. */
  readonly namespace: string;
  readonly run: Run;
  /** The databases of the policy, in its order. */
  readonly sources: readonly MemberSource[];
  readonly platform: Platform;
  /** What is done to a database from outside its session; undefined without a cluster. */
  readonly outside?: Outside | undefined;
  readonly store: SnapshotStore;
  readonly registry: Registry;
  readonly locks: Locks;
  /** Turns at the snapshot controller; undefined where it need not be waited for. */
  readonly slots?: Slots | undefined;
  readonly events: Events;
  /** Undefined where the policy keeps all, or nobody prunes. */
  readonly pruner?: Pruner | undefined;
  /** What doctor looks at besides. */
  readonly policies?: Policies | undefined;
  readonly inventory?: Inventory | undefined;
  /** Undefined where the run has no guard: a backup whose freeze would outlive its session is refused. */
  readonly guards?: Guards | undefined;
  /** Undefined where runners of other runs cannot be looked at. */
  readonly runners?: Runners | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the process is told to stop. */
  readonly signal: AbortSignal;
  readonly runnerVersion: string;
}

/** For how long the database may be held. */
export function budgetMs({ spec }: BackupContext['config']): number {
  return (spec.budgetSeconds ?? JOB_DEFAULTS.budgetSeconds) * 1000;
}
