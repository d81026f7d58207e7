/** A server on this machine that answers MongoDB's driver by a table of commands: what no stand-in on a cluster can be made to say. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Document } from 'mongodb';
import { answerTo, documentOf, framesOf, Refused } from './frames';

/** What it answers to each command, by the command's name. */
export type Answers = Readonly<Record<string, (command: Document) => Document | Promise<Document>>>;

export interface WireServer extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:port` */
  readonly host: string;
  /** The names of the commands that came, but for those of the driver itself. */
  readonly asked: readonly string[];
  /** The last command of a name. */
  last(name: string): Document | undefined;
  /** Ends all connections; new ones are taken. */
  cut(): void;
}

const OF_THE_DRIVER = ['hello', 'isMaster', 'ismaster', 'ping', 'endSessions'];

const HELLO = { isWritablePrimary: true, helloOk: true, minWireVersion: 0, maxWireVersion: 21 };
const SIZES = { maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000 };

export async function startWireServer(answers: Answers): Promise<WireServer> {
  const sockets = new Set<Socket>();
  const commands: Document[] = [];
  const answer = async (command: Document): Promise<Document> => {
    const [name = ''] = Object.keys(command);
    if (!OF_THE_DRIVER.includes(name)) commands.push(command);
    if (/^(hello|ismaster)$/i.test(name)) return { ...HELLO, ...SIZES, ...(await answers.hello?.(command)) };
    const own = answers[name];
    if (own !== undefined) return await own(command);
    if (OF_THE_DRIVER.includes(name)) return {};
    throw new Refused(59, 'CommandNotFound', `no such command: '${name}'`);
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    void (async () => {
      for await (const frame of framesOf(socket)) {
        void answerTo(frame, () => answer(documentOf(frame, true))).then((bytes) => socket.write(bytes));
      }
    })().catch(() => undefined);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    host: `127.0.0.1:${port}`,
    get asked() {
      return commands.map((command) => Object.keys(command)[0] ?? '');
    },
    last: (name) => commands.findLast((command) => name in command),
    cut,
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
