/** One connection to one server, reserved: no pool, no reconnecting, named and bounded commands. The only user of the driver. */
import { JOB_DEFAULTS } from '../../../src/contract';
import type { Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { abortError } from '../../network-errors';
import { translate } from './errors';
import { grantHint, ruleFor } from './rights';

/** What a server answers, as its protocol has it. */
export type Reply = string | number | null | readonly Reply[];

/** As much of the driver's client as is used here. */
interface Driver {
  connect(): Promise<unknown>;
  sendCommand(args: readonly string[]): Promise<unknown>;
  destroy(): void;
  on(event: 'error' | 'end' | 'terminated', listener: (error?: Error) => void): unknown;
}

/**
 * How often an idle connection says something: a server ends those that are silent for longer than its own `timeout`, of a
 * second at the least, and a backup waits for its turn, and for the storage. What it says takes a right that a backup needs anyway.
 */
const PULSE_MS = 1_000;
const PULSE = ['CLIENT', 'ID'] as const;

/** A connection that belongs to one piece of work from its beginning to its end (safety rule 1). */
export class Connection {
  readonly #driver: Driver;
  readonly #lost = new AbortController();
  readonly #pulse: NodeJS.Timeout;
  #busy = 0;
  #closing = false;

  private constructor(
    driver: Driver,
    /** Where it leads. */
    readonly endpoint: Endpoint,
    private readonly user: string,
  ) {
    this.#driver = driver;
    driver.on('error', (error) => this.#lose(error ?? ended()));
    driver.on('terminated', (error) => this.#lose(error ?? ended()));
    driver.on('end', () => this.#lose(ended()));
    this.#pulse = setInterval(() => this.#beat(), PULSE_MS);
    this.#pulse.unref();
  }

  /** Connects and logs in. Throws server-unreachable, authentication-failed, tls-failed, or the signal's reason. */
  static async open(target: Target, endpoint: Endpoint, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    // Loaded here: a command that talks to no Redis never pays for the driver.
    const { default: redis } = await import('redis');
    const driver: Driver = redis.createClient(options(target, endpoint)) as unknown as Driver;
    // An error that comes after the one that ended the attempt has nobody to tell.
    driver.on('error', () => undefined);
    const aborted = Promise.withResolvers<never>();
    const stop = (): void => {
      driver.destroy();
      aborted.reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      await Promise.race([driver.connect(), aborted.promise]);
      return new Connection(driver, endpoint, target.username);
    } catch (thrown) {
      driver.destroy();
      signal.throwIfAborted();
      throw translate(thrown, { what: `connecting to ${endpoint.host}:${endpoint.port}`, phase: 'connect' });
    } finally {
      signal.removeEventListener('abort', stop);
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

  /** The answer to one command. When the signal aborts, the connection is cut: a command must not go on unseen. */
  async ask(what: string, args: readonly string[], signal?: AbortSignal): Promise<Reply> {
    signal?.throwIfAborted();
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason;
    const stop = (): void => this.destroy(abortError(signal));
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await this.#send(args);
    } catch (thrown) {
      signal?.throwIfAborted();
      throw translate(thrown, { what, phase: 'command', grant: grantHint(this.user, [ruleFor(args)]) });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Ends it at once, without a word to the server. */
  destroy(reason: Error): void {
    this.#lose(reason);
    this.#driver.destroy();
  }

  /** Ends it in the ordinary way; what waits for an answer still is given up. */
  async close(): Promise<void> {
    if (!this.usable) return;
    this.#closing = true;
    clearInterval(this.#pulse);
    this.#driver.destroy();
  }

  async #send(args: readonly string[]): Promise<Reply> {
    const lost = this.#lost.signal;
    const gone = Promise.withResolvers<never>();
    const lose = (): void => gone.reject(lost.reason);
    lost.addEventListener('abort', lose, { once: true });
    this.#busy++;
    try {
      // A driver that was destroyed does not answer any more.
      return (await Promise.race([this.#driver.sendCommand(args), gone.promise])) as Reply;
    } finally {
      this.#busy--;
      lost.removeEventListener('abort', lose);
    }
  }

  /** A refusal keeps it alive as well, and that it is gone the driver says by itself. */
  #beat(): void {
    if (this.#busy === 0 && this.usable) this.#send(PULSE).catch(() => undefined);
  }

  #lose(reason: Error): void {
    if (this.#closing || this.#lost.signal.aborted) return;
    clearInterval(this.#pulse);
    const { host, port } = this.endpoint;
    this.#lost.abort(translate(reason, { what: `the session with ${host}:${port}`, phase: 'command' }));
  }
}

function ended(): Error {
  return Object.assign(new Error('the connection ended'), { code: 'ECONNRESET' });
}

function options(target: Target, { host, port, name }: Endpoint): object {
  const { connection, username, password } = target;
  return {
    // The older protocol: the newer one adds nothing that is used here, and asks for a right of its own.
    RESP: 2,
    // The driver sends no AUTH without a password: a server without users lets in anybody.
    ...(password === undefined ? {} : { ...(username === '' ? {} : { username }), password }),
    disableClientInfo: true,
    maintNotifications: 'disabled',
    // A command that finds the connection gone has to fail, not to wait for another one.
    disableOfflineQueue: true,
    socket: {
      ...(host.startsWith('/') ? { path: host, tls: false } : { host, port, ...tlsOptions(target, name) }),
      connectTimeout: (connection.connectTimeoutSeconds ?? JOB_DEFAULTS.connectTimeoutSeconds) * 1000,
      reconnectStrategy: false,
      keepAlive: true,
      keepAliveInitialDelay: 5_000,
    },
  };
}

/** The four modes as libpq has them. The certificate is checked for the name that was configured, also where we go by address. */
function tlsOptions({ tls }: Target, name: string): object {
  if (tls === undefined || tls.mode === 'disable') return {};
  return {
    tls: true,
    servername: /[a-zA-Z]/.test(name) ? name : undefined,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    rejectUnauthorized: tls.mode !== 'require',
    ...(tls.mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}
