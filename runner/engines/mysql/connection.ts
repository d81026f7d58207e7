/** One connection to one server, reserved: no pool, no reconnecting, named and bounded statements. */
import { connect as connectSocket } from 'node:net';
import type { ConnectionOptions, Connection as Driver, SslOptions } from 'mysql2';
import { JOB_DEFAULTS } from '../../../src/contract';
import type { Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { StillpointError } from '../../errors';
import { abortError } from '../../network-errors';
import { translate } from './errors';

/** A row with every value as the server writes it, NULL as null. */
export type Row = Readonly<Record<string, string | null>>;

/** What a connection is for, where it is not for single statements. */
export interface ConnectionUse {
  /** For scripts of a person's own: several statements at once. */
  readonly script?: boolean;
}

/** A connection that belongs to one piece of work from its beginning to its end (safety rule 1). */
export class Connection {
  readonly #driver: Driver;
  readonly #lost = new AbortController();
  #closing = false;

  private constructor(
    driver: Driver,
    /** Where it leads. */
    readonly endpoint: Endpoint,
  ) {
    this.#driver = driver;
    driver.on('error', (error) => this.#lose(error));
    driver.on('end', () => this.#lose(Object.assign(new Error('the connection ended'), { code: 'ECONNRESET' })));
  }

  /** Connects and logs in. Throws server-unreachable, authentication-failed, tls-failed, or the signal's reason. */
  static async open(
    target: Target,
    endpoint: Endpoint,
    signal: AbortSignal,
    use: ConnectionUse = {},
  ): Promise<Connection> {
    signal.throwIfAborted();
    // Loaded here: a command that talks to no MySQL never pays for the driver.
    const { default: mysql } = await import('mysql2');
    const driver = mysql.createConnection({ ...options(target, endpoint), multipleStatements: use.script === true });
    // An error that comes after the one that ended the attempt has nobody to tell.
    driver.on('error', () => undefined);
    const stop = (): void => driver.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        driver.connect((error) => (error === null ? resolve() : reject(error)));
      });
      return new Connection(driver, endpoint);
    } catch (thrown) {
      driver.destroy();
      signal.throwIfAborted();
      throw translate(thrown, { what: `connecting to ${endpoint.host}:${endpoint.port}`, phase: 'connect' });
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** The id that the server gave when the connection began; a proxy gives one that it made up. */
  get announcedId(): string {
    return String(this.#driver.threadId);
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
      return await this.#query(sql, values);
    } catch (thrown) {
      signal?.throwIfAborted();
      throw translate(thrown, { what, phase: 'statement' });
    } finally {
      signal?.removeEventListener('abort', stop);
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
    this.#driver.destroy();
  }

  /** Ends it in the ordinary way. */
  async close(): Promise<void> {
    if (!this.usable) return;
    this.#closing = true;
    await new Promise<void>((resolve) => this.#driver.end(() => resolve()));
  }

  async #query(sql: string, values: readonly string[]): Promise<readonly Row[]> {
    const lost = this.#lost.signal;
    return await new Promise<readonly Row[]>((resolve, reject) => {
      // A driver that was destroyed does not answer any more.
      const gone = (): void => reject(lost.reason);
      lost.addEventListener('abort', gone, { once: true });
      this.#driver.query({ sql, values: [...values], typeCast: (field) => field.string() }, (error, result) => {
        lost.removeEventListener('abort', gone);
        if (error === null) resolve(Array.isArray(result) ? (result as Row[]) : []);
        else reject(error);
      });
    });
  }

  #lose(reason: Error): void {
    if (this.#closing || this.#lost.signal.aborted) return;
    const { host, port } = this.endpoint;
    this.#lost.abort(translate(reason, { what: `the session with ${host}:${port}`, phase: 'statement' }));
  }
}

function options(target: Target, { host, port, name }: Endpoint): ConnectionOptions {
  const { connection, username, password } = target;
  const ssl = tlsOptions(target);
  return {
    // The driver checks the certificate against its host: the name that was configured, also where we go by address.
    ...(host.startsWith('/')
      ? { socketPath: host }
      : { host: name, port, ...(host === name ? {} : { stream: () => connectSocket(port, host) }) }),
    user: username,
    password: password ?? '',
    ...(connection.database === undefined ? {} : { database: connection.database }),
    ...(ssl === undefined ? {} : { ssl }),
    connectTimeout: (connection.connectTimeoutSeconds ?? JOB_DEFAULTS.connectTimeoutSeconds) * 1000,
    enableKeepAlive: true,
    keepAliveInitialDelay: 5_000,
    // LOAD DATA LOCAL would let the server read files of the runner.
    flags: ['-LOCAL_FILES'],
  };
}

/** The four modes as libpq has them. */
function tlsOptions({ tls }: Target): SslOptions | undefined {
  if (tls === undefined || tls.mode === 'disable') return undefined;
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    rejectUnauthorized: tls.mode !== 'require',
    verifyIdentity: tls.mode === 'verify-full',
  };
}
