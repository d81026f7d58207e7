/**
 * A stand-in for the backup hooks of a storage manager of NuoDB: their two requests and their words, in memory, on a loopback
 * port. It holds no archive and ends nothing by itself; one that does both is the image nuodb-standin of the tests on a cluster.
 * This one fails where a test wants it to.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What the hooks are asked for. */
export interface HooksAsked {
  readonly what: 'begin' | 'end';
  readonly id: string;
  /** The seconds after which they are to let go by themselves. */
  readonly timeout?: unknown;
}

/** What comes in place of an answer: another one, a connection that is cut before it or in the middle of it, or nothing at all. */
export type HooksFault = { readonly status: number; readonly message: string } | 'reset' | 'half' | 'silence';

export class BackupHooksStandIn implements AsyncDisposable {
  /** The backup that is at work. */
  current: string | undefined;
  /** Whether its files are those of a process that is no more: nothing is held. */
  startedAnew = false;
  /** All that was asked, but for who is at work. */
  readonly asked: HooksAsked[] = [];
  /** In place of serving a request, which it does not take effect then; undefined serves it. */
  fault: (asked: HooksAsked) => HooksFault | undefined = () => undefined;
  /** Hears of each request before it is served. */
  onAsked: (asked: HooksAsked) => void = () => undefined;
  readonly host = '127.0.0.1';
  readonly #gaveUp = Promise.withResolvers<void>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: Error) => response.destroy(error));
    });
  }

  static async start(): Promise<BackupHooksStandIn> {
    const hooks = new BackupHooksStandIn();
    await new Promise<void>((resolve) => hooks.#server.listen(0, hooks.host, resolve));
    return hooks;
  }

  /** When somebody who was not answered has closed the connection. */
  get gaveUp(): Promise<void> {
    return this.#gaveUp.promise;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, what = '', id = ''] = request.url?.split('/') ?? [];
    const body = await text(request);
    const timeout: unknown = body === '' ? undefined : (JSON.parse(body) as { timeout?: unknown }).timeout;
    const asked: HooksAsked = {
      what: what === 'pre-backup' ? 'begin' : 'end',
      id,
      ...(timeout === undefined ? {} : { timeout }),
    };
    if (id !== 'stillpoint-asks') this.asked.push(asked);
    this.onAsked(asked);
    const fault = this.fault(asked);
    if (fault === 'silence') {
      request.socket.once('close', this.#gaveUp.resolve);
      return;
    }
    if (fault === 'reset') {
      request.socket.destroy();
      return;
    }
    if (fault === 'half') {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('{"success":', () => request.socket.destroy());
      return;
    }
    const { status, message } = fault ?? this.#answer(asked);
    response.statusCode = status;
    response.end(JSON.stringify(status === 200 ? { success: true } : { success: false, message }));
  }

  #answer({ what, id }: HooksAsked): { readonly status: number; readonly message: string } {
    const well = { status: 200, message: '' };
    if (what === 'begin') {
      if (this.current !== undefined) {
        return {
          status: 400,
          message:
            'Backup ID file /var/opt/nuodb/archive/backup.txt exists. Execute post-backup hook to complete current backup.',
        };
      }
      this.current = id;
      return well;
    }
    if (this.current !== id) {
      return { status: 400, message: `Unexpected backup ID: current=${this.current ?? 'None'}, supplied=${id}` };
    }
    this.current = undefined;
    return this.startedAnew ? { status: 500, message: 'Archiving not paused' } : well;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
