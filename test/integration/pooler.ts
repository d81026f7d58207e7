/**
 * Stands between a client and a server as a pooler does, as far as a client can tell: what it announces as the
 * session's process id is a number of its own making.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Type byte, length 12 and what follows: the announcement of process id and cancel key. */
const KEY_DATA = Buffer.from([0x4b, 0, 0, 0, 12]);
const MADE_UP_PID = 4_242_424;

export class Pooler implements AsyncDisposable {
  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** Listens on the loopback address and leads to the given server. */
  static async start(to: { readonly host: string; readonly port: number }): Promise<Pooler> {
    const server = createServer((client) => join(client, connect(to.port, to.host)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return new Pooler(server, address.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    await once(this.server, 'close');
  }
}

function join(client: Socket, server: Socket): void {
  client.pipe(server);
  server.on('data', (chunk: Buffer) => {
    const at = chunk.indexOf(KEY_DATA);
    if (at >= 0) chunk.writeInt32BE(MADE_UP_PID, at + KEY_DATA.length);
    client.write(chunk);
  });
  server.on('end', () => client.end());
  for (const socket of [client, server]) {
    socket.on('error', () => {
      client.destroy();
      server.destroy();
    });
  }
}
