/** Plain requests over HTTP, for stores whose protocol is no more than that. Nothing is copied on the way. */
import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { StillpointError } from '../errors';
import { type Asked, answered, type CodeTable, unanswered } from './failures';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | string | undefined;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Has to be read, or destroyed: the connection waits for that. */
  readonly body: IncomingMessage;
}

const SOCKETS = 16;
/** Also how long a reader may leave an answer alone: the connection then ends, and is taken up again. */
const IDLE_MS = 120_000;

export class HttpClient {
  readonly #plain = new HttpAgent({ keepAlive: true, maxSockets: SOCKETS });
  readonly #secure = new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS });
  readonly #codes: CodeTable;
  readonly #codeOf: (body: string) => string | undefined;

  /** `codeOf` finds the store's own code in the body of an answer that is no success. */
  constructor(codes: CodeTable = {}, codeOf: (body: string) => string | undefined = () => undefined) {
    this.#codes = codes;
    this.#codeOf = codeOf;
  }

  /** The answer, whatever it is. Throws, translated, when there is none. */
  async send(asked: Asked, { method, url, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
    signal.throwIfAborted();
    const secure = url.protocol === 'https:';
    const options = { method, headers: { ...headers }, signal, agent: secure ? this.#secure : this.#plain };
    const answer = Promise.withResolvers<HttpAnswer>();
    const going = secure ? requestHttps(url, options) : requestHttp(url, options);
    going.on('response', (message) => {
      answer.resolve({ status: message.statusCode ?? 0, headers: message.headers, body: message });
    });
    going.on('error', answer.reject);
    going.setTimeout(IDLE_MS, () => going.destroy(Object.assign(new Error('idle'), { code: 'ETIMEDOUT' })));
    going.end(body ?? (method === 'PUT' || method === 'POST' ? '' : undefined));
    try {
      return await answer.promise;
    } catch (error) {
      signal.throwIfAborted();
      throw unanswered(asked, error) ?? error;
    }
  }

  /** The answer with its body as text, when its status is one of the given, or any success. */
  async ask(
    asked: Asked,
    request: HttpRequest,
    also: readonly number[] = [],
  ): Promise<Pick<HttpAnswer, 'status' | 'headers'> & { readonly text: string }> {
    const { status, headers, body } = await this.send(asked, request);
    const said = await this.read(asked, body, request.signal);
    if (!isSuccess(status) && !also.includes(status)) throw this.refused(asked, status, said);
    return { status, headers, text: said };
  }

  /** The answer with its body still to come. */
  async open(asked: Asked, request: HttpRequest): Promise<HttpAnswer> {
    const answer = await this.send(asked, request);
    if (isSuccess(answer.status)) return answer;
    throw this.refused(asked, answer.status, await this.read(asked, answer.body, request.signal));
  }

  refused(asked: Asked, status: number, said: string): StillpointError {
    return answered(asked, { status, code: this.#codeOf(said) }, this.#codes);
  }

  async read(asked: Asked, body: IncomingMessage, signal: AbortSignal): Promise<string> {
    try {
      return await text(body);
    } catch (error) {
      signal.throwIfAborted();
      throw unanswered(asked, error) ?? error;
    }
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Translates what a body throws in the middle. */
export function translateBroken(asked: Asked, thrown: unknown): unknown {
  return thrown instanceof StillpointError ? thrown : (unanswered(asked, thrown) ?? thrown);
}

/** The whole of an answer, as its headers say. */
export function lengthOf({ headers }: Pick<HttpAnswer, 'headers'>): number {
  return Number(headers['content-length'] ?? 0);
}
