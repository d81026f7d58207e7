/**
 * One connection to one server, reserved: with driver.ts the only file that knows the driver. The driver keeps pools, looks for other
 * servers, connects again and repeats commands; all of that is off, or noticed: a lock is proven on one connection.
 */
import { isIP } from 'node:net';
import type { MongoClient, MongoClientOptions } from 'mongodb';
import { JOB_DEFAULTS } from '../../../src/contract';
import type { Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { StillpointError } from '../../errors';
import { abortError } from '../../network-errors';
import { translate } from './errors';
import type { Reply } from './reply';

/** The database that users are created in where nothing is said. */
const AUTH_SOURCE = 'admin';

/** The driver's monitor has a connection of its own, whose failure would end ours: it looks once, and then not again. */
const NEVER_MS = 86_400_000;

/** How often an idle connection is tried: the driver notices its end only when it is used. */
const PULSE_MS = 1_000;
const PULSE_LIMIT_MS = 5_000;

const CLOSE_LIMIT_MS = 2_000;

/** A connection that belongs to one piece of work from its beginning to its end (safety rule 1). */
export class Connection {
  readonly #client: MongoClient;
  readonly #lost = new AbortController();
  #pulse: NodeJS.Timeout | undefined;
  #connections = 0;
  #busy = 0;
  #closing = false;

  private constructor(
    client: MongoClient,
    /** Where it leads. */
    readonly endpoint: Endpoint,
  ) {
    this.#client = client;
    client.on('connectionReady', () => {
      this.#connections++;
      // The driver has connected again: another session, which holds nothing of what this one was.
      if (this.#connections > 1) this.#lose(new Error('the driver made another connection'));
    });
    client.on('connectionClosed', ({ reason }) => {
      // One that never came about says itself why.
      if (this.#connections > 0) this.#lose(new Error(`the connection was closed (${reason})`));
    });
  }

  /** Connects and logs in. Throws server-unreachable, authentication-failed, tls-failed, or the signal's reason. */
  static async open(target: Target, endpoint: Endpoint, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    // Loaded here: a command that talks to no MongoDB never pays for the driver.
    const { MongoClient: Client } = await import('./driver');
    const client = new Client(urlOf(endpoint), options(target, endpoint));
    const connection = new Connection(client, endpoint);
    const what = `connecting to ${endpoint.host}:${endpoint.port}`;
    try {
      await connection.#untilAborted(client.db(AUTH_SOURCE).command({ ping: 1 }), signal);
      // Not before: what is still being connected has a limit of its own.
      connection.#pulse = setInterval(() => void connection.#tryIt(), PULSE_MS);
      connection.#pulse.unref();
      return connection;
    } catch (thrown) {
      connection.#end();
      signal.throwIfAborted();
      throw translate(thrown, { what, phase: 'connect' });
    }
  }

  /** Aborts when the connection ends without having been closed. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether commands can still be sent. */
  get usable(): boolean {
    return !this.#closing && !this.#lost.signal.aborted;
  }

  /** Runs one command. When the signal aborts, the connection is cut: what is no longer waited for must not go on unseen. */
  async command(what: string, command: Reply, signal?: AbortSignal, database: string = 'admin'): Promise<Reply> {
    signal?.throwIfAborted();
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason;
    this.#busy++;
    try {
      return await this.#untilAborted(this.#client.db(database).command({ ...command }), signal);
    } catch (thrown) {
      if (signal?.aborted === true) this.destroy(abortError(signal));
      signal?.throwIfAborted();
      if (this.#lost.signal.aborted) throw this.#lost.signal.reason;
      throw translate(thrown, { what, phase: 'command' });
    } finally {
      this.#busy--;
    }
  }

  /** Ends it at once, without waiting for what is under way. What the server does for it may go on. */
  destroy(reason: Error): void {
    this.#lose(reason);
  }

  /** Ends it in the ordinary way. */
  async close(): Promise<void> {
    if (!this.usable) return;
    this.#closing = true;
    clearInterval(this.#pulse);
    const ended = this.#client.close().catch(() => undefined);
    const limit = AbortSignal.timeout(CLOSE_LIMIT_MS);
    await Promise.race([ended, new Promise((resolve) => limit.addEventListener('abort', resolve))]);
  }

  async #tryIt(): Promise<void> {
    if (this.#busy > 0 || !this.usable) return;
    const limit = AbortSignal.timeout(PULSE_LIMIT_MS);
    await this.command('asking whether the server is there', { ping: 1 }, limit).catch((error: Error) => {
      this.#lose(error);
    });
  }

  async #untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const lost = this.#lost.signal;
    const ends = signal === undefined ? lost : AbortSignal.any([signal, lost]);
    work.catch(() => undefined);
    return await new Promise<T>((resolve, reject) => {
      const gone = (): void => reject(ends.reason);
      if (ends.aborted) gone();
      ends.addEventListener('abort', gone, { once: true });
      work.then(resolve, reject).finally(() => ends.removeEventListener('abort', gone));
    });
  }

  #lose(reason: Error): void {
    if (this.#closing || this.#lost.signal.aborted) return;
    const { host, port } = this.endpoint;
    this.#lost.abort(translate(reason, { what: `the session with ${host}:${port}`, phase: 'command' }));
    this.#end();
  }

  #end(): void {
    clearInterval(this.#pulse);
    this.#closing = true;
    this.#client.close(true).catch(() => undefined);
  }
}

function urlOf({ host, port }: Endpoint): string {
  return `mongodb://${isIP(host) === 6 ? `[${host}]` : host}:${port}/`;
}

function options(target: Target, { host, name }: Endpoint): MongoClientOptions {
  const { connection, username, password } = target;
  if (username !== '' && password === undefined) {
    throw new StillpointError('credentials-unreadable', `there is no password for user ${username}`, {
      hint: 'log in by user name and password: certificates as logins (x.509) are not supported',
    });
  }
  const limitMs = (connection.connectTimeoutSeconds ?? JOB_DEFAULTS.connectTimeoutSeconds) * 1000;
  return {
    directConnection: true,
    ...(username === '' ? {} : { auth: { username, password: password ?? '' } }),
    authSource: connection.database ?? AUTH_SOURCE,
    appName: 'stillpoint',
    maxPoolSize: 1,
    minPoolSize: 0,
    retryReads: false,
    retryWrites: false,
    serverMonitoringMode: 'poll',
    heartbeatFrequencyMS: NEVER_MS,
    serverSelectionTimeoutMS: limitMs,
    connectTimeoutMS: limitMs,
    ...tlsOptions(target, host === name || isIP(name) !== 0 ? undefined : name),
  };
}

/** The four modes as libpq has them. The certificate is checked against the name, also where we go by address. */
function tlsOptions({ tls }: Target, name: string | undefined): MongoClientOptions {
  if (tls === undefined || tls.mode === 'disable') return {};
  return {
    tls: true,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.mode === 'require' ? { tlsAllowInvalidCertificates: true } : {}),
    ...(tls.mode === 'verify-full' ? {} : { tlsAllowInvalidHostnames: true }),
    ...(name === undefined ? {} : { servername: name }),
  };
}
