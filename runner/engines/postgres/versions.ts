/** What differs between the versions of PostgreSQL, all of it. */

/** The major versions that are supported. 12 is the first with what a backup here needs; 18 the newest known. */
export const SUPPORTED = { min: 12, max: 18 } as const;

/** A server's version and what it calls things. */
export interface Dialect {
  /** As `server_version_num` has it: 170004. */
  readonly number: number;
  readonly major: number;
  readonly supported: boolean;
  /** Begins a non-exclusive backup with an immediate checkpoint; $1 is the label. */
  readonly startBackup: string;
  /** Ends it: lsn, labelfile, spcmapfile. Without waiting for the archive: see plan-backup-mode.ts. */
  readonly stopBackup: string;
  /** The signatures that the user needs EXECUTE on for that. */
  readonly backupFunctions: readonly string[];
  /** Whether an exclusive backup (gone with 15) is in progress; undefined where there is no such thing. */
  readonly exclusiveBackup: string | undefined;
  /** Whether the slot still holds the log: the server may give it up (max_slot_wal_keep_size, from 13). */
  readonly slotState: string;
  /** Settings of our session, beyond those that every version has. */
  readonly sessionSettings: Readonly<Record<string, string>>;
  /** The setting by which the server ends a session that is silent for too long; from 14. */
  readonly idleTimeout: string | undefined;
  /** The role, besides superusers, that may run CHECKPOINT; from 15. */
  readonly checkpointRole: string | undefined;
}

/** The dialect of a server by its `server_version_num`. */
export function dialectOf(number: number): Dialect {
  const major = Math.floor(number / 10_000);
  const from = (version: number): boolean => major >= version;
  return {
    number,
    major,
    supported: major >= SUPPORTED.min && major <= SUPPORTED.max,
    // 15 renamed both and took the exclusive mode away.
    startBackup: from(15)
      ? 'SELECT pg_backup_start(label => $1, fast => true) AS lsn'
      : 'SELECT pg_start_backup($1, true, false) AS lsn',
    stopBackup: from(15)
      ? 'SELECT lsn, labelfile, spcmapfile FROM pg_backup_stop(wait_for_archive => false)'
      : 'SELECT lsn, labelfile, spcmapfile FROM pg_stop_backup(false, false)',
    backupFunctions: from(15)
      ? ['pg_backup_start(text, boolean)', 'pg_backup_stop(boolean)']
      : ['pg_start_backup(text, boolean, boolean)', 'pg_stop_backup(boolean, boolean)'],
    exclusiveBackup: from(15) ? undefined : 'SELECT pg_is_in_backup()::text AS running',
    slotState: from(13) ? 'wal_status' : "CASE WHEN restart_lsn IS NULL THEN 'lost' ELSE 'reserved' END",
    // Lets the server notice while it works on a statement that its client is gone.
    // Before the freeze a backup may wait for its turn, for longer than others may be idle.
    sessionSettings: {
      ...(from(14) ? { client_connection_check_interval: '1s', idle_session_timeout: '0' } : {}),
      // Of a group the locks are held by a transaction, for as long as the budget says.
      ...(from(17) ? { transaction_timeout: '0' } : {}),
    },
    idleTimeout: from(14) ? 'idle_session_timeout' : undefined,
    checkpointRole: from(15) ? 'pg_checkpoint' : undefined,
  };
}

/** Settings that an older version does not know: written into its configuration, they keep it from starting. */
export function knowsSetting(major: number, name: string): boolean {
  const since: Readonly<Record<string, number>> = { archive_library: 15 };
  return major >= (since[name] ?? 0);
}
