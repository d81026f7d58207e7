/** One connection to one server, reserved: no pool, no reconnecting, named and bounded statements. */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type { Client, ClientConfig } from 'pg';
import { JOB_DEFAULTS } from '../../../src/contract';
import type { Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { StillpointError } from '../../errors';
import { abortError } from '../../network-errors';
import { type Attempt, translate } from './errors';

/** A row with every value as the server writes it, NULL as null. */
export type Row = Readonly<Record<string, string | null>>;

/** The name under which our sessions are seen in pg_stat_activity. */
export const APPLICATION_NAME = 'stillpoint';

/** A connection that belongs to one piece of work from its beginning to its end (safety rule 1). */
export class Connection {
  readonly #client: Client;
  readonly #lost = new AbortController();
  #closing = false;

  private constructor(
    client: Client,
    /** Where it leads. */
    readonly endpoint: Endpoint,
  ) {
    this.#client = client;
    // pg emits the reason as `error` and then `end`; without a reason there is only `end`.
    client.on('error', (error) => this.#lose(error));
    client.on('end', () => this.#lose(new Error('Connection terminated unexpectedly')));
  }

  /** Connects and logs in. Throws server-unreachable, authentication-failed, tls-failed, or the signal's reason. */
  static async open(target: Target, endpoint: Endpoint, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    // Loaded here: a command that talks to no PostgreSQL never pays for the driver.
    const { default: pg } = await import('pg');
    const client = new pg.Client(clientConfig(target, endpoint));
    let phase: Attempt['phase'] = target.tls === undefined || target.tls.mode === 'disable' ? 'login' : 'tls';
    const wire = wireOf(client);
    wire.once('sslconnect', () => wire.stream.once('secureConnect', () => (phase = 'login')));
    const stop = (): void => void wire.stream.destroy(abortError(signal));
    signal.addEventListener('abort', stop, { once: true });
    // An error that comes after the one that ended the attempt has nobody to tell.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return new Connection(client, endpoint);
    } catch (thrown) {
      wire.stream.destroy();
      signal.throwIfAborted();
      throw translate(thrown, { what: `connecting to ${endpoint.host}:${endpoint.port}`, phase });
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** The process id that the server gave at the start of the connection; a pooler gives one that it made up. */
  get announcedPid(): string {
    return String((this.#client as unknown as { processID: number | null }).processID);
  }

  /** Aborts when the connection ends without having been closed. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether statements can still be sent. */
  get usable(): boolean {
    return !this.#closing && !this.#lost.signal.aborted;
  }

  /** The rows of one statement. When the signal aborts, the connection is cut: a statement must not go on unseen. */
  async rows(what: string, sql: string, values: readonly string[] = [], signal?: AbortSignal): Promise<readonly Row[]> {
    signal?.throwIfAborted();
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason;
    const stop = (): void => this.destroy(abortError(signal));
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const result = await this.#client.query<Record<string, string | null>>({ text: sql, values: [...values] });
      return result.rows;
    } catch (thrown) {
      signal?.throwIfAborted();
      throw translate(thrown, { what, phase: 'statement' });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Runs several statements, as one transaction unless they say otherwise. When the signal aborts, the connection is cut. */
  async script(what: string, sql: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const stop = (): void => this.destroy(abortError(signal));
    signal.addEventListener('abort', stop, { once: true });
    try {
      // Without values it goes by the simple protocol, which takes more than one statement.
      await this.#client.query(sql);
    } catch (thrown) {
      signal.throwIfAborted();
      throw translate(thrown, { what, phase: 'statement' });
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** The one row of a statement. */
  async row(what: string, sql: string, values: readonly string[] = [], signal?: AbortSignal): Promise<Row> {
    const [first] = await this.rows(what, sql, values, signal);
    if (first === undefined) throw new StillpointError('internal', `${what} gave no row`);
    return first;
  }

  /** Ends it at once, without a word to the server: whatever the session held goes with it. */
  destroy(reason: Error): void {
    this.#lose(reason);
    wireOf(this.#client).stream.destroy();
  }

  /** Ends it in the ordinary way. */
  async close(): Promise<void> {
    if (!this.usable) return;
    this.#closing = true;
    await this.#client.end().catch(() => undefined);
  }

  #lose(reason: Error): void {
    if (this.#closing || this.#lost.signal.aborted) return;
    const { host, port } = this.endpoint;
    this.#lost.abort(translate(reason, { what: `the session with ${host}:${port}`, phase: 'statement' }));
  }
}

/** What `pg` keeps of the wire; its types leave it out. */
function wireOf(client: Client): NodeJS.EventEmitter & {
  readonly stream: NodeJS.EventEmitter & { destroy(error?: Error): void };
} {
  return (client as unknown as { connection: ReturnType<typeof wireOf> }).connection;
}

/** Everything is said: what is left out, `pg` would take from the environment (PGUSER, PGPASSWORD, PGSSLMODE, …). */
function clientConfig(target: Target, { host, port, name }: Endpoint): ClientConfig {
  const { connection, username, password } = target;
  return {
    host,
    port,
    user: username,
    // A function, since `pg` would read a password that is not there from the environment or from a file.
    password: () => password ?? '',
    database: connection.database ?? 'postgres',
    ssl: tlsOptions(target, name),
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: (connection.connectTimeoutSeconds ?? JOB_DEFAULTS.connectTimeoutSeconds) * 1000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    types: { getTypeParser: () => (value: string) => value } as unknown as NonNullable<ClientConfig['types']>,
  };
}

/** The four modes as libpq has them. The name to check is that of the configured host, also when we connect by address. */
function tlsOptions({ tls }: Target, name: string): ClientConfig['ssl'] {
  if (tls === undefined || tls.mode === 'disable') return false;
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(isIP(name) === 0 ? { servername: name } : {}),
    rejectUnauthorized: tls.mode !== 'require',
    checkServerIdentity: (_host, certificate) =>
      tls.mode === 'verify-full' ? checkServerIdentity(name, certificate) : undefined,
  };
}
