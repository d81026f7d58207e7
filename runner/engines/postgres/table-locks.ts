/**
 * Holds off the writes of one database: PostgreSQL has no lock on all of a server, so there is a session in each of its
 * databases, with every table locked in SHARE MODE in one transaction. What ends with the session: the locks (safety rule 8).
 */
import type { StepContext } from '../../engine';
import { StillpointError } from '../../errors';
import type { Connection } from './connection';

/** Temporary tables are their session's alone; the catalogues are the server's. */
const TABLES = `
  SELECT c.oid::text AS oid, format('%I.%I', n.nspname, c.relname) AS name, n.oid AS "schemaOid", quote_ident(n.nspname) AS schema
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
     AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
   ORDER BY c.oid`;

/** What LOCK TABLE … IN SHARE MODE asks for; pg_maintain has MAINTAIN, from 17. A schema has to let one find its tables, too. */
const NOT_LOCKABLE = (maintain: boolean): string => `
  SELECT name, schema, seen::text FROM (
    SELECT t.*, has_schema_privilege(t."schemaOid", 'USAGE') AS seen,
           has_table_privilege(t.oid::oid, 'UPDATE, DELETE, TRUNCATE${maintain ? ', MAINTAIN' : ''}') AS lockable
      FROM (${TABLES}) AS t) AS looked
   WHERE NOT (seen AND lockable) ORDER BY seen, name`;

const HELD = `
  SELECT count(*)::text AS tables, pg_backend_pid()::text AS pid
    FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND mode = 'ShareLock' AND granted`;

const VACUUMS = `
  SELECT count(*)::text AS workers FROM pg_stat_activity
   WHERE backend_type = 'autovacuum worker' AND datname = current_database()`;

const DEADLOCK_TIMEOUT = `
  SELECT setting AS ms FROM pg_settings WHERE name = 'deadlock_timeout'`;

/** How long all attempts together may take, and how long writers are let through between two. */
const LIMIT_MS = 10_000;
const BETWEEN_MS = 100;

/**
 * Of the time after which a waiting session looks for a deadlock: an attempt gives up before, so that a client that waits
 * for our locks, while we wait for its own, is never the one that the server cancels. A vacuum is cancelled by the server
 * itself, for one that has waited for longer.
 */
const ATTEMPT_SHARE = 0.8;
const VACUUM_SHARE = 1.5;

/** Beyond the budget: the runner lets go by itself when that is over. */
const SERVER_GRACE_MS = 2_000;

/** Lets time pass, unless the signal ends it. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

/** A table that the user may not lock. */
export interface NotLockable {
  readonly name: string;
  readonly schema: string;
  /** Whether the user may use the schema at all. */
  readonly seen: boolean;
}

/** The tables of one database. */
export class TableLocks {
  #tables = 0;

  constructor(
    readonly database: string,
    private readonly connection: Connection,
    private readonly pause: Pause,
  ) {}

  get lost(): AbortSignal {
    return this.connection.lost;
  }

  /** Tables that the user may not lock, those first whose schema it may not look into. */
  async notLockable(maintain: boolean, signal?: AbortSignal): Promise<readonly NotLockable[]> {
    const what = `looking at the rights in ${this.database}`;
    const rows = await this.connection.rows(what, NOT_LOCKABLE(maintain), [], signal);
    return rows.map(({ name, schema, seen }) => ({ name: name ?? '', schema: schema ?? '', seen: seen === 'true' }));
  }

  /** Takes all locks, or none: each attempt is a short one. Throws freeze-timeout. */
  async take(within: StepContext): Promise<void> {
    const { signal } = within;
    const { ms } = await this.connection.row('reading deadlock_timeout', DEADLOCK_TIMEOUT, [], signal);
    let spent = 0;
    for (;;) {
      const { workers } = await this.connection.row('looking for vacuums', VACUUMS, [], signal);
      const attempt = Math.ceil(Number(ms) * (workers === '0' ? ATTEMPT_SHARE : VACUUM_SHARE));
      const refused = await this.#attempt(attempt, within);
      if (refused === undefined) return;
      spent += attempt + BETWEEN_MS;
      if (spent >= LIMIT_MS) throw notInTime(this.database, refused);
      await this.pause(BETWEEN_MS, signal);
    }
  }

  /** The fact for the proof: this very session holds the locks, still. */
  async fact(within: StepContext): Promise<string> {
    await this.#arm(within);
    const what = `looking at the locks in ${this.database}`;
    const { tables, pid } = await this.connection.row(what, HELD, [], within.signal);
    if (Number(tables) === this.#tables) return `process ${pid} holds ${tables} tables in SHARE MODE`;
    throw new StillpointError(
      'proof-failed',
      `of ${this.#tables} tables of database ${this.database} the session holds ${tables ?? '0'} any more`,
    );
  }

  /** Ends the transaction, and the session with it. When the ordinary way fails, the server drops both. */
  async release(within: StepContext): Promise<void> {
    try {
      if (this.connection.usable) await this.connection.rows('letting the tables go', 'ROLLBACK', [], within.signal);
      await this.connection.close();
    } catch (error) {
      this.connection.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Undefined when it has all; else the error of the one that did not come. */
  async #attempt(ms: number, within: StepContext): Promise<StillpointError | undefined> {
    const say = (what: string, sql: string): ReturnType<Connection['rows']> =>
      this.connection.rows(what, sql, [], within.signal);
    await say('beginning a transaction', 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
    await this.#arm(within);
    await say('limiting the wait', `SET LOCAL statement_timeout = ${ms}`);
    try {
      const locked = new Set<string>();
      for (;;) {
        const tables = await say(`listing the tables of ${this.database}`, TABLES);
        // Those that were made meanwhile: they are locked too, as long as there are any.
        const more = tables.flatMap(({ name }) =>
          name === null || name === undefined || locked.has(name) ? [] : [name],
        );
        if (more.length === 0) break;
        await say(`locking the tables of ${this.database}`, `LOCK TABLE ${more.join(', ')} IN SHARE MODE`);
        for (const name of more) locked.add(name);
      }
      const { tables } = await this.connection.row('counting the locks', HELD, [], within.signal);
      this.#tables = Number(tables);
      return undefined;
    } catch (error) {
      if (!(error instanceof StillpointError) || error.code !== 'freeze-timeout') throw error;
      await say('giving the locks up', 'ROLLBACK');
      return error;
    }
  }

  /** The server ends the transaction of a runner that hangs. */
  async #arm(within: StepContext): Promise<void> {
    const left = Math.ceil(within.remainingMs()) + SERVER_GRACE_MS;
    await this.connection.rows(
      'arming the session',
      `SELECT set_config('idle_in_transaction_session_timeout', '${left}', false)`,
      [],
      within.signal,
    );
  }
}

function notInTime(database: string, cause: StillpointError): StillpointError {
  return new StillpointError(
    'freeze-timeout',
    `the tables of database ${database} could not be locked within ${LIMIT_MS / 1000} s: ${cause.message}`,
    {
      hint: 'a transaction that has written to one of them is open: look at pg_stat_activity, or choose a quieter hour',
      cause,
    },
  );
}
