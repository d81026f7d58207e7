/** Reads what the checks look at: what the user may call, and what else is going on at the server. */
import type { Connection } from './connection';
import type { ServerFacts } from './facts';

/** The server as it is at the moment. */
export interface ServerState {
  /** The database that the session is connected to. */
  readonly database: string;
  /** Functions of a backup that the user may not call. */
  readonly forbiddenFunctions: readonly string[];
  readonly mayCheckpoint: boolean;
  readonly exclusiveBackup: boolean;
  readonly slotsMax: number;
  readonly slotsUsed: number;
  /** Slots that a session of ours holds. */
  readonly ourSlots: readonly { readonly slot: string; readonly pid: string }[];
  readonly replayPaused: boolean;
  readonly streams: boolean;
}

const STATE = `
  SELECT current_database()::text AS database,
         current_setting('max_replication_slots') AS "slotsMax",
         (SELECT count(*)::text FROM pg_replication_slots) AS "slotsUsed",
         (CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END)::text AS "replayPaused",
         (EXISTS (SELECT FROM pg_stat_wal_receiver))::text AS streams`;

const FORBIDDEN = `
  SELECT f AS name FROM unnest($1::text[]) AS f WHERE NOT has_function_privilege(current_user, f, 'EXECUTE')`;

const OUR_SLOTS = `
  SELECT slot_name::text AS slot, active_pid::text AS pid
    FROM pg_replication_slots WHERE temporary AND slot_name LIKE 'stillpoint\\_%' AND active_pid <> pg_backend_pid()`;

/** Reads it all. */
export async function readState(connection: Connection, server: ServerFacts): Promise<ServerState> {
  const { dialect, user } = server;
  const state = await connection.row('reading the state of the server', STATE);
  const functions = `{${dialect.backupFunctions.map((name) => `"${name}"`).join(',')}}`;
  const forbidden = await connection.rows('asking what the user may call', FORBIDDEN, [functions]);
  const slots = await connection.rows('reading the slots', OUR_SLOTS);
  return {
    database: state.database ?? '',
    forbiddenFunctions: forbidden.map(({ name }) => name ?? ''),
    mayCheckpoint: user.superuser || (await hasRole(connection, dialect.checkpointRole)),
    exclusiveBackup: await isTrue(connection, dialect.exclusiveBackup),
    slotsMax: Number(state.slotsMax),
    slotsUsed: Number(state.slotsUsed),
    ourSlots: slots.map(({ slot, pid }) => ({ slot: slot ?? '', pid: pid ?? '' })),
    replayPaused: state.replayPaused === 'true',
    streams: state.streams === 'true',
  };
}

async function hasRole(connection: Connection, role: string | undefined): Promise<boolean> {
  if (role === undefined) return false;
  const sql = "SELECT pg_has_role(current_user, $1, 'USAGE')::text AS running";
  return (await connection.row(`asking for the role ${role}`, sql, [role])).running === 'true';
}

async function isTrue(connection: Connection, sql: string | undefined): Promise<boolean> {
  if (sql === undefined) return false;
  return (await connection.row('asking for an exclusive backup', sql)).running === 'true';
}
