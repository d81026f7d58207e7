/** What one holds at a time. */

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
