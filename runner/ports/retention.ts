/** What is kept of backups, and who removes the rest. */
import type { Policy } from '../../src/contract';
import type { StoredRecord } from './registry';

/** What is kept of the backups of each policy, as it holds now. */
export interface Policies {
  list(): Promise<readonly Policy[]>;
}

/** Who removes what is not kept; asked when a backup has ended. */
export interface Pruner {
  ask(): Promise<void>;
  /** What its own pod does when it has pruned: who asks from here on has another one started. */
  rest(): Promise<void>;
}

/** Removes what a record stands for: snapshots, their contents, objects. Only what is ours (safety rule 9). */
export interface Remover {
  /** Names what could not be removed yet; empty when all is gone. The record itself stays. */
  remove(stored: StoredRecord): Promise<readonly string[]>;
  /** Removes only what the record lists as left over by an attempt that failed; its own snapshots stay. */
  removeLeftovers(stored: StoredRecord): Promise<readonly string[]>;
}
