/** The one session of a backup (safety rule 1). */

import { refuseChangedServer } from '../../changed-facts';
import { configuredEndpoint } from '../../endpoint';
import type { EngineSession, Plan, PlanRequest, ServerPath, StepContext, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Finding, Log } from '../../ports';
import { checkTableLocks } from './check-table-locks';
import { checkSession } from './checks';
import { Connection, type Row } from './connection';
import { openDirectly } from './direct';
import { type OwnIdentity, readIdentity, readOwnIdentity, readPaths, readServer, type ServerFacts } from './facts';
import { locateLog, mayLocateLog } from './locate-log';
import { planBackup } from './plan';

/**
 * Settings of our own session. The keepalives let the *server* find out within about ten seconds that the runner's node
 * or network is gone (safety rule 8): the session ends, and with it backup mode and slot. They do nothing over a Unix
 * socket, where there is no network to lose.
 */
const SESSION_SETTINGS = {
  tcp_keepalives_idle: '5',
  tcp_keepalives_interval: '2',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '10000',
  // A lock that does not come must not queue the world up (safety rule 4); nothing here should need one for long.
  lock_timeout: '5000',
  // Nothing is left open between statements, whatever the role's own settings are.
  idle_in_transaction_session_timeout: '0',
  statement_timeout: '60000',
} as const;

/** What of a server's identity does not change while it does what it was found to do. */
const WHO = ['systemIdentifier', 'postmasterStart', 'role'] as const;

/**
 * The runner keeps its budget itself, and says so; the server comes after it, for a runner that cannot any more. Within
 * the 5 s of safety rule 8.
 */
const SERVER_GRACE_MS = 2000;

/** Opens the session: direct to its server, with the settings that end it when the runner is gone. */
export async function openSession(target: Target, log: Log, signal: AbortSignal): Promise<PostgresSession> {
  const connection = await openDirectly(target, log, signal);
  try {
    // First of all: reading catalogues takes locks too, and somebody may hold one.
    await set(connection, SESSION_SETTINGS, signal);
    const server = await readServer(connection, signal);
    await set(connection, server.dialect.sessionSettings, signal);
    return new PostgresSession(connection, server, target);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A session on PostgreSQL. */
export class PostgresSession implements EngineSession {
  /** What the server was told last. */
  #armed = '';
  /** Whether the server was seen to be the one that the checks have found. */
  #confirmed = false;

  constructor(
    private readonly connection: Connection,
    readonly server: ServerFacts,
    readonly target: Target,
  ) {}

  get lost(): AbortSignal {
    return this.connection.lost;
  }

  /** Its process on the server. */
  get pid(): string {
    return this.connection.announcedPid;
  }

  async paths(mountPaths: readonly string[]): Promise<readonly ServerPath[]> {
    const dataDirectory = this.server.settings.data_directory;
    if (dataDirectory === undefined) {
      throw new StillpointError('privilege-missing', `user ${this.server.user.name} may not see data_directory`, {
        hint: `as a superuser: GRANT pg_read_all_settings TO "${this.server.user.name}"`,
      });
    }
    const paths = await readPaths(this.connection, dataDirectory);
    const visible = await mayLocateLog(this.connection);
    const log = visible ? await locateLog(this.connection, dataDirectory, mountPaths) : undefined;
    return [...paths, { role: 'log', what: 'pg_wal', path: log?.path, unsearched: log?.unsearched }];
  }

  async check(request: PlanRequest): Promise<readonly Finding[]> {
    const found = await checkSession(this.connection, this.server, request);
    if (request.standstill !== true || found.some(({ severity }) => severity === 'error')) return found;
    return [...found, ...(await checkTableLocks(this))];
  }

  plan(request: PlanRequest): Plan {
    return planBackup(this, request);
  }

  async whoAnswers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const another = await Connection.open(this.target, configuredEndpoint(this.target), signal);
    try {
      return await readIdentity(another, signal);
    } finally {
      await another.close();
    }
  }

  /** Another connection to the very server of this session, in another of its databases. Throws server-changed. */
  async openIn(database: string, signal: AbortSignal): Promise<Connection> {
    const target = { ...this.target, connection: { ...this.target.connection, database } };
    const another = await Connection.open(target, this.connection.endpoint, signal);
    try {
      await set(another, SESSION_SETTINGS, signal);
      await set(another, this.server.dialect.sessionSettings, signal);
      const there = await readIdentity(another, signal);
      const { systemIdentifier, postmasterStart } = this.server.identity;
      if (there.systemIdentifier === systemIdentifier && there.postmasterStart === postmasterStart) return another;
      const { host, port } = this.connection.endpoint;
      throw new StillpointError(
        'server-changed',
        `at ${host}:${port} another server answered for database ${database}`,
        {
          hint: 'let host lead to one server, not to several by turns',
        },
      );
    } catch (error) {
      await another.close();
      throw error;
    }
  }

  /** Rows that are read before anything is held. */
  rows(what: string, sql: string, signal: AbortSignal): Promise<readonly Row[]> {
    return this.connection.rows(what, sql, [], signal);
  }

  /**
   * The facts of the proof: which session, which server. The first time it has to be what the checks have found: the session
   * outlives a promotion. Its timeline may be another one, as that of a standby that follows a new primary is.
   */
  async observe(within: StepContext): Promise<OwnIdentity> {
    await this.#arm(within);
    const facts = await readOwnIdentity(this.connection, within.signal);
    if (!this.#confirmed) refuseChangedServer(this.server.identity, facts, WHO);
    this.#confirmed = true;
    return facts;
  }

  /** One statement within the window: armed first, so that the server ends the session of a runner that hangs. */
  async row(within: StepContext, what: string, sql: string, values: readonly string[] = []): Promise<Row> {
    await this.#arm(within);
    return await this.connection.row(what, sql, values, within.signal);
  }

  /**
   * One statement before the window, which may take longer than the budget (a checkpoint does): the signal ends it, and
   * the server does when it finds its client gone.
   */
  async unbounded(
    within: StepContext,
    what: string,
    sql: string,
    values: readonly string[] = [],
  ): Promise<readonly Row[]> {
    await this.#arm(within, '0');
    return await this.connection.rows(what, sql, values, within.signal);
  }

  /** Nothing is held any more: the session may be idle for as long as the rest takes. */
  async disarm(within: StepContext): Promise<void> {
    const idle = this.server.dialect.idleTimeout;
    const statement_timeout = SESSION_SETTINGS.statement_timeout;
    await this.#tell({ statement_timeout, ...(idle === undefined ? {} : { [idle]: '0' }) }, within.signal);
  }

  /** Ends the session in the rough way when the ordinary one has failed: the server drops what it held. */
  abandon(reason: Error): void {
    this.connection.destroy(reason);
  }

  get usable(): boolean {
    return this.connection.usable;
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /**
   * Safety rule 8: what is left of the budget, in whole seconds, before each statement. The server counts anew from each
   * statement on: what it has been told already it need not be told again.
   */
  async #arm(within: StepContext, statementTimeout?: string): Promise<void> {
    const left = String(Math.ceil(within.remainingMs() / 1000) * 1000 + SERVER_GRACE_MS);
    const idle = this.server.dialect.idleTimeout;
    await this.#tell(
      { statement_timeout: statementTimeout ?? left, ...(idle === undefined ? {} : { [idle]: left }) },
      within.signal,
    );
  }

  async #tell(settings: Record<string, string>, signal: AbortSignal): Promise<void> {
    const wanted = JSON.stringify(settings);
    if (wanted === this.#armed) return;
    await set(this.connection, settings, signal);
    this.#armed = wanted;
  }
}

async function set(connection: Connection, settings: Record<string, string>, signal: AbortSignal): Promise<void> {
  const names = Object.keys(settings);
  if (names.length === 0) return;
  const calls = names.map((name, index) => `set_config('${name}', $${index + 1}, false)`);
  await connection.rows('setting up the session', `SELECT ${calls.join(', ')}`, Object.values(settings), signal);
}
