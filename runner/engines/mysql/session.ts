/** The one session of a backup (safety rule 1). */
import { randomUUID } from 'node:crypto';
import { JOB_DEFAULTS } from '../../../src/contract';
import { configuredEndpoint, lookLimit } from '../../endpoint';
import type { EngineSession, Plan, PlanRequest, ServerPath, StepContext, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Finding, Log } from '../../ports';
import { checkSession } from './checks';
import { Connection, type Row } from './connection';
import { readIdentity, readOwnIdentity, readPaths, readServer, type ServerFacts } from './facts';
import { planBackup } from './plan';

/** As long as nothing is held: longer than any backup waits for its turn, or for its storage. */
const UNARMED_SECONDS = 86_400;

/**
 * Settings of our own session. A lock that does not come must not queue the world up (safety rule 4): the server's own
 * default is a day or a year. The network timeouts end a session whose client is gone in the middle of a packet.
 */
const SESSION_SETTINGS =
  `SET SESSION wait_timeout = ${UNARMED_SECONDS}, lock_wait_timeout = ${JOB_DEFAULTS.lockTimeoutSeconds}, ` +
  "net_read_timeout = 10, net_write_timeout = 10, autocommit = 1, time_zone = '+00:00'";

/**
 * The runner keeps its budget itself, and says so; the server comes after it, for a runner that cannot any more. Within
 * the 5 s of safety rule 8.
 */
const SERVER_GRACE_SECONDS = 2;

/** Opens the session: direct to its server, with the settings that end it when the runner is gone. */
export async function openSession(target: Target, _log: Log, signal: AbortSignal): Promise<MySqlSession> {
  const connection = await Connection.open(target, configuredEndpoint(target), signal);
  try {
    const server = await readServer(connection, signal);
    // A proxy gives the server's session to somebody else between two statements, and the lock with it.
    if (server.connectionId !== connection.announcedId) throw notDirect(target);
    await connection.rows('setting up the session', SESSION_SETTINGS, [], signal);
    return new MySqlSession(connection, server, target);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A session on MySQL or MariaDB. */
export class MySqlSession implements EngineSession {
  /** What the server was told last. */
  #armedSeconds: number | undefined;

  constructor(
    private readonly connection: Connection,
    readonly server: ServerFacts,
    private readonly target: Target,
  ) {}

  get lost(): AbortSignal {
    return this.connection.lost;
  }

  paths(): Promise<readonly ServerPath[]> {
    return readPaths(this.connection, this.server);
  }

  check(request: PlanRequest): Promise<readonly Finding[]> {
    return checkSession(this.connection, this.server, request);
  }

  plan(request: PlanRequest): Plan {
    return planBackup(this, request);
  }

  async whoAnswers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const another = await Connection.open(this.target, configuredEndpoint(this.target), signal);
    try {
      return await readIdentity(another, this.server.dialect, signal);
    } finally {
      await another.close();
    }
  }

  /**
   * Whether the server of this very session answers at an address: it takes a lock of a name that nobody else knows, and
   * the server there has to know that this session holds it. Names of hosts are not enough: every namespace may have
   * its orders-db-0.
   */
  async isAt(address: string): Promise<boolean> {
    const { connection, server, target } = this;
    using limit = lookLimit(target, "finding the server's pod");
    const { signal } = limit;
    const name = `stillpoint ${randomUUID()}`;
    await connection.rows('taking a lock of its own name', 'SELECT GET_LOCK(?, 0)', [name], signal);
    try {
      const endpoint = { host: address, port: server.port, name: target.connection.host };
      const there = await Connection.open(target, endpoint, signal);
      try {
        const { holder } = await there.row('asking who holds it', 'SELECT IS_USED_LOCK(?) AS holder', [name], signal);
        return holder === server.connectionId;
      } finally {
        await there.close();
      }
    } finally {
      await connection.rows('releasing that lock', 'SELECT RELEASE_LOCK(?)', [name]);
    }
  }

  /** The facts of the proof: which session, which server. */
  async observe(within: StepContext): Promise<Readonly<Record<string, string>>> {
    await this.#armWithin(within);
    return await readOwnIdentity(this.connection, this.server.dialect, within.signal);
  }

  /** One statement within the window: armed first, so that the server ends the session of a runner that hangs. */
  async rows(within: StepContext, what: string, sql: string): Promise<readonly Row[]> {
    await this.#armWithin(within);
    return await this.connection.rows(what, sql, [], within.signal);
  }

  /** Nothing is held any more: the session may be idle for as long as the rest takes. */
  async disarm(within: StepContext): Promise<void> {
    await this.#arm(UNARMED_SECONDS, within.signal);
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

  async #armWithin({ remainingMs, signal }: StepContext): Promise<void> {
    await this.#arm(Math.ceil(remainingMs() / 1000) + SERVER_GRACE_SECONDS, signal);
  }

  /**
   * Safety rule 8: what is left of the budget, before each statement. The server counts in seconds, and anew from each
   * statement on: what it has been told already it need not be told again.
   */
  async #arm(seconds: number, signal: AbortSignal): Promise<void> {
    if (seconds === this.#armedSeconds) return;
    await this.connection.rows('arming the session', `SET SESSION wait_timeout = ${seconds}`, [], signal);
    this.#armedSeconds = seconds;
  }
}

function notDirect({ connection }: Target): StillpointError {
  return new StillpointError(
    'session-not-direct',
    `a proxy answers at ${connection.host}:${connection.port}, and may give the session of its server to somebody else`,
    { hint: 'let host and port name the server itself, or a Service in front of it, not the proxy' },
  );
}
