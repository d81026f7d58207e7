/** A way to an HTTP server that can be made as bad as real ones are. What it does not spoil is the server's own answer. */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';

/** What is done with a request in place of handing it on: undefined hands it on. */
export type Spoil = (request: IncomingMessage, response: ServerResponse) => 'spoilt' | undefined;

/** A request as it came in. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** An answer, to be changed before it is handed on. */
export interface SpoiltAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A body as short as this is a message of the protocol's own. */
const CONTENT_BYTES = 64 * 1024;

export class UnreliableProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Of each request, as `PUT /bucket/key?partNumber=1`. */
  readonly seen: string[] = [];
  /** Hears of each request before anything is done with it. */
  hears: (request: SeenRequest) => void = () => undefined;
  spoil: Spoil = () => undefined;
  /** Cuts the next answers to a GET after so many bytes. */
  cutAnswersAfter: number | undefined;

  /** Changes the answers to whatever is no GET. */
  alterAnswer: ((answer: SpoiltAnswer) => SpoiltAnswer) | undefined;
  /** How many bodies were changed. */
  corrupted = 0;
  #corrupting = 0;

  private constructor(private readonly target: () => URL) {
    this.#server = createServer((asked, answer) => this.#serve(asked, answer));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async to(target: () => URL): Promise<UnreliableProxy> {
    const proxy = new UnreliableProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Good again. */
  mend(): void {
    this.spoil = () => undefined;
    this.hears = () => undefined;
    this.cutAnswersAfter = undefined;
    this.alterAnswer = undefined;
    this.#corrupting = 0;
  }

  /** Changes a byte in each of the next so many bodies that are a content. */
  corrupt(times: number): void {
    this.corrupted = 0;
    this.#corrupting = times;
  }

  /** Answers a status and nothing else to the requests that match, so many times. */
  answer(status: number, times = Number.POSITIVE_INFINITY, matches: (seen: string) => boolean = () => true): void {
    let left = times;
    this.spoil = (asked, response) => {
      if (left <= 0 || !matches(`${asked.method} ${asked.url}`)) return undefined;
      left -= 1;
      asked.resume();
      asked.on('end', () => response.writeHead(status, { 'content-length': 0 }).end());
      return 'spoilt';
    };
  }

  #serve(asked: IncomingMessage, answer: ServerResponse): void {
    const { method = '', url = '', headers } = asked;
    this.seen.push(`${method} ${url}`);
    this.hears({ method, url, headers });
    if (this.spoil(asked, answer) === 'spoilt') return;
    const { hostname, port } = this.target();
    const onward = request(
      { hostname, port, method: asked.method, path: asked.url, headers: asked.headers },
      (answered) => {
        if (this.alterAnswer !== undefined && asked.method !== 'GET')
          return altered(this.alterAnswer, answered, answer);
        answer.writeHead(answered.statusCode ?? 502, answered.headers);
        answered.on('error', () => answer.destroy());
        const cut = asked.method === 'GET' ? this.cutAnswersAfter : undefined;
        if (cut === undefined) answered.pipe(answer);
        else cutAfter(cut, answered, answer);
        return undefined;
      },
    );
    onward.on('error', () => answer.destroy());
    asked.on('error', () => onward.destroy());
    answer.on('close', () => onward.destroy());
    if (this.#corrupting > 0 && Number(asked.headers['content-length'] ?? 0) > CONTENT_BYTES) {
      this.#corrupting -= 1;
      this.corrupted += 1;
      asked.pipe(changed()).pipe(onward);
    } else asked.pipe(onward);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function cutAfter(bytes: number, from: IncomingMessage, to: ServerResponse): void {
  let passed = 0;
  from.on('data', (chunk: Buffer) => {
    passed += chunk.length;
    if (passed < bytes) to.write(chunk);
    else to.destroy();
  });
  from.on('end', () => to.end());
}

function altered(alter: (answer: SpoiltAnswer) => SpoiltAnswer, from: IncomingMessage, to: ServerResponse): void {
  void buffer(from).then((whole) => {
    const { headers, body } = alter({ headers: from.headers, body: whole });
    const { 'transfer-encoding': _, ...others } = headers;
    to.writeHead(from.statusCode ?? 502, { ...others, 'content-length': body.length }).end(body);
  });
}

/** Turns over one bit of the first byte. */
function changed(): Transform {
  let first = true;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const copy = first ? Buffer.from(chunk) : chunk;
      if (first) copy[0] = (copy[0] ?? 0) ^ 1;
      first = false;
      done(undefined, copy);
    },
  });
}
