/** A way to an HTTP server that can be made as bad as real ones are. What it does not spoil is the server's own answer. */
import { once } from 'node:events';
import {
  type ClientRequest,
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

/** As much of a body stays on its way. */
const KEPT_BYTES = 16;
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
  /** Requests that the server has not answered, whether or not anybody waits for the answer. */
  underWay = 0;
  /** Keeps the last bytes of what is PUT, and hands them on when it is told to, though whoever sent them has left. */
  readonly #kept: KeptTail[] = [];
  #keepsTails = false;
  /** How many bodies were changed. */
  corrupted = 0;
  #corrupting = 0;

  private constructor(
    private readonly target: () => URL,
    private readonly host: string,
  ) {
    this.#server = createServer((asked, answer) => this.#serve(asked, answer));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** `host`: the address of this machine that it listens at. */
  static async to(target: () => URL, host = '127.0.0.1'): Promise<UnreliableProxy> {
    const proxy = new UnreliableProxy(target, host);
    await new Promise<void>((resolve) => proxy.#server.listen(0, host, resolve));
    return proxy;
  }

  get url(): string {
    return `http://${this.host}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Good again. */
  mend(): void {
    this.spoil = () => undefined;
    this.hears = () => undefined;
    this.cutAnswersAfter = undefined;
    this.alterAnswer = undefined;
    this.#corrupting = 0;
    this.#keepsTails = false;
    void this.#deliverKept();
  }

  /**
   * From now on the last bytes of what is PUT stay on their way until whoever sent them has left and asked for something
   * else: they arrive before that is answered. So does a network that has taken a part which nobody waits for any more.
   */
  keepTails(): void {
    this.#keepsTails = true;
  }

  /** How many are on their way. */
  get kept(): number {
    return this.#kept.length;
  }

  /** Whether all but the last bytes of them are through. */
  get keptAll(): boolean {
    return this.#kept.every(({ complete }) => complete);
  }

  async #deliverKept(): Promise<void> {
    await Promise.all(this.#kept.splice(0).map((tail) => tail.deliver()));
  }

  /** Changes a byte in each of the next so many bodies that are a content. */
  corrupt(times: number): void {
    this.corrupted = 0;
    this.#corrupting = times;
  }

  /** Answers a status, with nothing or a body, to the requests that match, so many times. */
  answer(
    status: number,
    times = Number.POSITIVE_INFINITY,
    matches: (seen: string) => boolean = () => true,
    body = '',
  ): void {
    let left = times;
    this.spoil = (asked, response) => {
      if (left <= 0 || !matches(`${asked.method} ${asked.url}`)) return undefined;
      left -= 1;
      asked.resume();
      asked.on('end', () => response.writeHead(status, { 'content-length': Buffer.byteLength(body) }).end(body));
      return 'spoilt';
    };
  }

  /** Takes the next request that matches, and never answers it; those before and after it are handed on. Done when it has come. */
  hold(matches: (seen: string) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let held = false;
    this.spoil = (asked) => {
      if (held || !matches(`${asked.method} ${asked.url}`)) return undefined;
      held = true;
      asked.resume();
      resolve();
      return 'spoilt';
    };
    return promise;
  }

  #serve(asked: IncomingMessage, answer: ServerResponse): void {
    const { method = '', url = '', headers } = asked;
    this.seen.push(`${method} ${url}`);
    this.hears({ method, url, headers });
    if (this.spoil(asked, answer) === 'spoilt') return;
    const { hostname, port } = this.target();
    this.underWay += 1;
    const onward = request(
      { hostname, port, method: asked.method, path: asked.url, headers: asked.headers },
      async (answered) => {
        if (method !== 'PUT' && this.#kept.length > 0 && this.#kept.every((tail) => tail.left()))
          await this.#deliverKept();
        if (answer.closed) return answered.resume();
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
    onward.on('close', () => {
      this.underWay -= 1;
    });
    if (this.#keepsTails && method === 'PUT') {
      const tail = new KeptTail(Number(headers['content-length'] ?? 0), answer, onward);
      this.#kept.push(tail);
      asked
        .on('error', () => undefined)
        .pipe(tail.body, { end: false })
        .pipe(onward);
      return;
    }
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

/** A body without its last bytes, until they are delivered. */
class KeptTail {
  readonly body: Transform;
  #passed = 0;
  #rest: Buffer[] = [];

  constructor(
    private readonly bytes: number,
    private readonly answer: ServerResponse,
    private readonly onward: ClientRequest,
  ) {
    const keep = Math.min(bytes, KEPT_BYTES);
    this.body = new Transform({
      transform: (chunk: Buffer, _, done) => {
        const through = Math.max(0, Math.min(chunk.length, bytes - keep - this.#passed));
        this.#passed += chunk.length;
        this.#rest.push(chunk.subarray(through));
        done(undefined, chunk.subarray(0, through));
      },
      flush: (done) => done(undefined, Buffer.concat(this.#rest)),
    });
  }

  get complete(): boolean {
    return this.#passed === this.bytes;
  }

  /** Whether all of it is here, and whoever sent it has left. */
  left(): boolean {
    return this.complete && this.answer.closed;
  }

  /** Resolves when the server has answered or hung up. */
  async deliver(): Promise<void> {
    if (this.onward.closed) return;
    const over = once(this.onward, 'close');
    this.body.end();
    await over;
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
