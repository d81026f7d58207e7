/** Reads what the checks look at: what the user may do, and what else is going on at the server. */
import type { Connection } from './connection';
import type { ServerFacts } from './facts';
import type { Ask } from './position';
import { readSources, readWorkers, type Source, showsExecuted } from './replication';
import type { Mode } from './versions';

/** A statement that the lock would have to wait for. Never its text: that may hold secrets. */
export interface LongStatement {
  readonly id: string;
  readonly user: string;
  readonly seconds: number;
}

/** The server as it is at the moment. */
export interface ServerState {
  /** Global privileges that the mode needs and the account lacks. */
  readonly missingPrivileges: readonly string[];
  readonly mayReadLocks: boolean;
  readonly longStatements: readonly LongStatement[];
  /** Connections of others that hold the server as a backup would. */
  readonly heldBy: readonly { readonly id: string; readonly user: string }[];
  /** Tables of people's own that are of no crash-safe storage engine, at most ten of them. */
  readonly otherTables: readonly { readonly table: string; readonly engine: string }[];
  /** The servers that this one replicates from; none of a primary. */
  readonly sources: readonly Source[];
  /** Whether it can be seen how far a replica has executed its source's log, to the byte. */
  readonly seesExecuted: boolean;
}

const OTHER_TABLES = `
  SELECT CONCAT(table_schema, '.', table_name) AS name, engine AS engine FROM information_schema.TABLES
   WHERE table_type = 'BASE TABLE' AND engine NOT IN ('InnoDB', 'MEMORY', 'BLACKHOLE', 'PERFORMANCE_SCHEMA')
     AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') LIMIT 10`;

/** Reads it all. */
export async function readState(
  connection: Connection,
  server: ServerFacts,
  mode: Mode,
  longSeconds: number,
): Promise<ServerState> {
  const missingPrivileges = await missing(connection, server, mode);
  if (missingPrivileges.length > 0) {
    return {
      missingPrivileges,
      mayReadLocks: true,
      longStatements: [],
      heldBy: [],
      otherTables: [],
      sources: [],
      seesExecuted: true,
    };
  }
  const { ownLocks, othersLocks } = server.dialect;
  const mayReadLocks = await mayRead(connection, mode === 'none' ? undefined : ownLocks);
  const asked = mode === 'none' || !mayReadLocks ? undefined : othersLocks;
  const holders = asked === undefined ? [] : await connection.rows('looking for locks of others', asked);
  const tables = await connection.rows("reading the tables' storage engines", OTHER_TABLES);
  const ask: Ask = (what, text) => connection.rows(what, text);
  const sources = await readSources(ask, server);
  return {
    missingPrivileges,
    mayReadLocks,
    longStatements: await readLongStatements(ask, server, longSeconds),
    heldBy: holders.map(({ id, user }) => ({ id: id ?? '', user: user ?? '' })),
    otherTables: tables.map(({ name, engine }) => ({ table: name ?? '', engine: engine ?? '' })),
    sources,
    seesExecuted: sources.length === 0 || showsExecuted(server) || (await readWorkers(ask, server)).length > 0,
  };
}

async function missing(connection: Connection, { dialect, account }: ServerFacts, mode: Mode): Promise<string[]> {
  // 'stillpoint'@'%', with quotes; the host part of an account has no @.
  const at = account.lastIndexOf('@');
  const grantee = `'${account.slice(0, at)}'@'${account.slice(at + 1)}'`;
  const sql = 'SELECT privilege_type AS name FROM information_schema.USER_PRIVILEGES WHERE grantee = ?';
  const rows = await connection.rows('reading the privileges of the account', sql, [grantee]);
  const held = new Set(rows.map(({ name }) => name));
  return dialect.privileges[mode].filter((name) => !held.has(name));
}

async function mayRead(connection: Connection, sql: string | undefined): Promise<boolean> {
  if (sql === undefined) return true;
  return connection.rows("reading the session's own locks", sql).then(
    () => true,
    () => false,
  );
}

/**
 * The statements that a lock would have to wait for, the longest first. Not those of the replication: MySQL counts the time
 * of its workers from when the source had the statement, so that one that is behind looks as one at work for long. A
 * statement of theirs that does take long is left to the time limit of the lock.
 */
export async function readLongStatements(
  ask: Ask,
  { dialect }: ServerFacts,
  longSeconds: number,
): Promise<readonly LongStatement[]> {
  const sql = `
    SELECT id AS id, user AS user, time AS seconds FROM information_schema.PROCESSLIST
     WHERE command IN ('Query', 'Execute') AND user <> 'system user' AND id <> CONNECTION_ID() AND time >= ${longSeconds} AND ${dialect.waitsFor}
     ORDER BY time DESC`;
  const rows = await ask('looking at the process list', sql);
  return rows.map(({ id, user, seconds }) => ({ id: id ?? '', user: user ?? '', seconds: Number(seconds) }));
}
