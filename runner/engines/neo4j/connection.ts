/** A connection over Bolt to one server: never routed to another one. */
import { JOB_DEFAULTS } from '../../../src/contract';
import { orAborted } from '../../abort';
import type { Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { neo4j } from './driver';
import { type Attempt, translate } from './errors';
import { Tunnel } from './tunnel';

type Driver = ReturnType<typeof neo4j.driver>;
type Options = NonNullable<Parameters<typeof neo4j.driver>[2]>;

/** One row of an answer. */
export type Row = Readonly<Record<string, unknown>>;

/** What a statement answered, and where the database's log stood then. */
export interface Answer {
  readonly rows: readonly Row[];
  readonly bookmark: string | undefined;
}

/** A statement that changes something: values that come from outside go as parameters. */
export interface Change {
  readonly statement: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly database: string;
}

interface Asked {
  readonly statement: string;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  readonly mode?: typeof neo4j.session.READ | typeof neo4j.session.WRITE;
}

export class Connection {
  readonly #driver: Driver;
  readonly #tunnel: Tunnel | undefined;
  readonly #lost = new AbortController();
  #closed = false;

  private constructor(driver: Driver, tunnel: Tunnel | undefined) {
    this.#driver = driver;
    this.#tunnel = tunnel;
  }

  /** Connects and logs in. Throws server-unreachable, authentication-failed, tls-failed. */
  static async open(target: Target, endpoint: Endpoint, signal: AbortSignal): Promise<Connection> {
    const { username, password, tls } = target;
    const encrypted = tls !== undefined && tls.mode !== 'disable';
    const tunnel = encrypted ? await Tunnel.open(tls, endpoint, connectLimitMs(target)) : undefined;
    const { host, port } = tunnel?.near ?? endpoint;
    const auth = username === '' ? undefined : neo4j.auth.basic(username, password ?? '');
    const address = host.includes(':') ? `[${host}]` : host;
    const connection = new Connection(neo4j.driver(`bolt://${address}:${port}`, auth, optionsOf(target)), tunnel);
    const what = `connecting to ${endpoint.host}:${endpoint.port}`;
    try {
      await connection.#ask({ what, phase: 'connect' }, { statement: 'RETURN 1' }, signal);
      return connection;
    } catch (thrown) {
      await connection.close();
      signal.throwIfAborted();
      // What the driver saw of it is a port of this machine that closed.
      throw tunnel?.failure === undefined ? thrown : translate(tunnel.failure, { what, phase: 'connect' });
    }
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Runs a statement; `database` is the user's own where none is named. */
  async ask(what: string, statement: string, signal: AbortSignal, database?: string): Promise<Answer> {
    return await this.#ask({ what, phase: 'statement' }, { statement }, signal, database);
  }

  /** Runs a statement that changes something, on a database. */
  async change(
    what: string,
    { statement, parameters, database }: Change,
    signal: AbortSignal,
  ): Promise<readonly Row[]> {
    const asked = { statement, parameters, mode: neo4j.session.WRITE };
    return (await this.#ask({ what, phase: 'change' }, asked, signal, database)).rows;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#driver.close().catch(() => undefined);
    this.#tunnel?.close();
  }

  async #ask(
    attempt: Attempt,
    { statement, parameters, mode = neo4j.session.READ }: Asked,
    signal: AbortSignal,
    database?: string,
  ): Promise<Answer> {
    signal.throwIfAborted();
    const session = this.#driver.session({
      defaultAccessMode: mode,
      ...(database === undefined ? {} : { database }),
    });
    try {
      const { records } = await orAborted(
        session.run(statement, parameters).then((result) => result),
        signal,
      );
      return { rows: records.map((record) => record.toObject() as Row), bookmark: session.lastBookmarks()[0] };
    } catch (thrown) {
      signal.throwIfAborted();
      const error = translate(thrown, attempt);
      if (error.code === 'session-lost' && !this.#closed) this.#lost.abort(error);
      throw error;
    } finally {
      void session.close().catch(() => undefined);
    }
  }
}

/** One connection that the driver keeps; what it logs and retries is ours to decide, and so is TLS. */
function optionsOf(target: Target): Options {
  return {
    encrypted: 'ENCRYPTION_OFF',
    maxConnectionPoolSize: 2,
    connectionTimeout: connectLimitMs(target),
    maxTransactionRetryTime: 0,
    disableLosslessIntegers: true,
    telemetryDisabled: true,
    userAgent: 'stillpoint',
  };
}

function connectLimitMs({ connection }: Pick<Target, 'connection'>): number {
  return (connection.connectTimeoutSeconds ?? JOB_DEFAULTS.connectTimeoutSeconds) * 1000;
}
