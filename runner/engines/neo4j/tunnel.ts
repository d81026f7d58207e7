/**
 * TLS to a server for its driver, which can neither connect to one address and hold the certificate to another name, as the look
 * whether a pod is the server has to, nor say by a code why it failed: the driver talks to a port of this process, and what comes
 * there goes on by a connection of ours.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, isIP, type Server, type Socket } from 'node:net';
import { type ConnectionOptions, checkServerIdentity, connect } from 'node:tls';
import type { Endpoint } from '../../endpoint';
import type { Target } from '../../engine';

const LOOPBACK = '127.0.0.1';

/** Open as long as the connection that it is for. */
export class Tunnel {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #failure: NodeJS.ErrnoException | undefined;

  private constructor(
    options: ConnectionOptions,
    private readonly limitMs: number,
  ) {
    this.#server = createServer((near) => this.#lead(near, options));
  }

  /** Opens a port of this machine alone. The server has so long to show who it is. */
  static async open(tls: NonNullable<Target['tls']>, endpoint: Endpoint, limitMs: number): Promise<Tunnel> {
    const tunnel = new Tunnel(optionsOf(tls, endpoint), limitMs);
    tunnel.#server.listen(0, LOOPBACK);
    await once(tunnel.#server, 'listening');
    tunnel.#server.unref();
    return tunnel;
  }

  /** Where the driver connects to. */
  get near(): Pick<Endpoint, 'host' | 'port'> {
    return { host: LOOPBACK, port: (this.#server.address() as AddressInfo).port };
  }

  /** Why the way to the server could not be opened, with the code of Node or OpenSSL. Once it was, the driver hears itself of what comes. */
  get failure(): NodeJS.ErrnoException | undefined {
    return this.#failure;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #lead(near: Socket, options: ConnectionOptions): void {
    const far = connect(options);
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    }
    far.setNoDelay(true).setKeepAlive(true);
    const late = (): NodeJS.ErrnoException => Object.assign(new Error('no answer to TLS'), { code: 'ETIMEDOUT' });
    far.setTimeout(this.limitMs, () => far.destroy(late()));
    // Not a word of the driver goes out before the server has shown who it is.
    let open = false;
    far.once('secureConnect', () => {
      open = true;
      far.setTimeout(0);
      near.pipe(far);
      far.pipe(near);
    });
    far.on('error', (error) => {
      if (!open) this.#failure ??= error;
    });
    // A server that refuses somebody says why and closes at once: the driver is to hear that before it sees the end.
    far.once('close', () => near.destroySoon());
    near.on('error', () => far.destroy());
    near.once('close', () => far.destroy());
  }
}

function optionsOf(tls: NonNullable<Target['tls']>, { host, port, name }: Endpoint): ConnectionOptions {
  const { mode, ca, cert, key } = tls;
  return {
    host,
    port,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    rejectUnauthorized: mode !== 'require',
    checkServerIdentity: (_, certificate) =>
      mode === 'verify-full' ? checkServerIdentity(name, certificate) : undefined,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}
