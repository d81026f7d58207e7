/**
 * Keeps a restored copy from reaching out to the original's world (safety rule 13): no replication, no events. Pure text;
 * prepare.ts writes it.
 */
import { StillpointError } from '../../errors';

/** Where MySQL keeps what was set by SET PERSIST; it is read after all other files. */
export const PERSISTED = 'mysqld-auto.cnf';

/** Files with the sources that a server replicates from; MySQL 8 has tables instead. */
export const REPLICATION_FILES = /^(master|relay-log|multi-master)(-.+)?\.info$/;

interface PersistedValue {
  readonly Value: string;
  readonly Metadata: { readonly Host: string; readonly User: string; readonly Timestamp: number };
}

interface PersistedFile {
  readonly Version: number;
  readonly mysql_static_variables?: Readonly<Record<string, PersistedValue>>;
  readonly mysql_dynamic_variables?: Readonly<Record<string, PersistedValue>>;
}

const value = (text: string): PersistedValue => ({
  Value: text,
  Metadata: { Host: '', User: 'stillpoint', Timestamp: 0 },
});

/** The server itself writes both names of one setting. */
const DETACHED = {
  mysql_static_variables: { skip_slave_start: value('ON'), skip_replica_start: value('ON') },
  mysql_dynamic_variables: { event_scheduler: value('OFF') },
} as const;

/** What mysqld-auto.cnf becomes. What it had is kept, except what is overridden. */
export function detachedSettings(existing: string): string {
  const had = existing.trim() === '' ? { Version: 2 } : (JSON.parse(existing) as PersistedFile);
  if (had.Version !== 2) {
    throw new StillpointError(
      'restore-failed',
      `${PERSISTED} is of version ${had.Version}, and only version 2 can be written here`,
    );
  }
  return JSON.stringify({
    ...had,
    mysql_static_variables: { ...had.mysql_static_variables, ...DETACHED.mysql_static_variables },
    mysql_dynamic_variables: { ...had.mysql_dynamic_variables, ...DETACHED.mysql_dynamic_variables },
  });
}
