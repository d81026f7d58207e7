/** Sends requests, counts them, and turns every answer that is no success into an error of ours. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../ports';
import type { KubeAccess } from './access';
import { type KubeStatus, type RequestName, refused, unreachable } from './errors';
import { type ApiRequest, parseJson, readText, send } from './transport';
import { wait } from './wait';

/** The verbs as RBAC has them: what is counted and what messages say. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** A request as messages name it. */
export type CallName = RequestName & { readonly verb: Verb };

/** One line of a watch. */
export interface WatchLine<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

const REQUEST_IDLE_MS = 30_000;
/** The server ends a watch after 5 to 10 minutes; bookmarks come every minute. Silence for longer is a dead connection. */
const WATCH_IDLE_MS = 150_000;
const ATTEMPTS_WHEN_BUSY = 4;

type Call = Omit<ApiRequest, 'idleMs'>;

export class KubeCalls {
  readonly #access: KubeAccess;
  readonly #clock: Clock;
  readonly #sent = new Map<Verb, number>();

  constructor(access: KubeAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  /** How many requests were sent so far, by verb. */
  get sent(): ReadonlyMap<Verb, number> {
    return this.#sent;
  }

  /** The object that the server answers with. */
  async json<T>(named: CallName, call: Call): Promise<T> {
    const text = await this.text(named, call);
    try {
      return parseJson(text) as T;
    } catch {
      throw this.#unreachable(named, new Error('the answer is no JSON'));
    }
  }

  /** The text that the server answers with. */
  async text(named: CallName, call: Call): Promise<string> {
    const response = await this.#answer(named, { ...call, idleMs: REQUEST_IDLE_MS });
    return this.#read(named, response, call.signal);
  }

  /** The lines of a watch, as they come; they end when the server closes the connection. */
  async lines<T>(named: CallName, call: Call): Promise<AsyncIterable<WatchLine<T>>> {
    return this.#lines<T>(named, await this.#answer(named, { ...call, idleMs: WATCH_IDLE_MS }), call.signal);
  }

  async *#lines<T>(
    named: CallName,
    response: IncomingMessage,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<WatchLine<T>> {
    let rest = '';
    for await (const chunk of this.#chunks(named, response, signal)) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) {
        if (text.trim() === '') continue;
        const line = parseJson(text) as WatchLine<T>;
        if (line.type === 'ERROR') {
          const status = line.object as KubeStatus & { readonly code?: number };
          throw refused(named, status.code ?? 500, status);
        }
        yield line;
      }
    }
  }

  async *#chunks(named: CallName, response: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<string> {
    response.setEncoding('utf8');
    try {
      for await (const chunk of response) yield chunk as string;
    } catch (thrown) {
      signal?.throwIfAborted();
      throw this.#unreachable(named, thrown);
    }
  }

  /** Sends until the server has an answer other than "too many requests": that one says it has done nothing. */
  async #answer(named: CallName, request: ApiRequest): Promise<IncomingMessage> {
    for (let attempt = 1; ; attempt++) {
      this.#sent.set(named.verb, (this.#sent.get(named.verb) ?? 0) + 1);
      const response = await this.#send(named, request);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return response;
      const error = refused(named, status, parseStatus(await this.#read(named, response, request.signal)));
      if (status !== 429 || attempt === ATTEMPTS_WHEN_BUSY) throw error;
      await wait(this.#clock, Number(response.headers['retry-after'] ?? 1) * 1000, request.signal);
    }
  }

  async #send(named: CallName, request: ApiRequest): Promise<IncomingMessage> {
    request.signal?.throwIfAborted();
    try {
      return await send(this.#access, request);
    } catch (thrown) {
      request.signal?.throwIfAborted();
      throw this.#unreachable(named, thrown);
    }
  }

  async #read(named: CallName, response: IncomingMessage, signal: AbortSignal | undefined): Promise<string> {
    try {
      return await readText(response);
    } catch (thrown) {
      signal?.throwIfAborted();
      throw this.#unreachable(named, thrown);
    }
  }

  #unreachable(named: CallName, cause: unknown): Error {
    return unreachable(named, this.#access.server, cause);
  }
}

function parseStatus(text: string): KubeStatus {
  try {
    return parseJson(text) as KubeStatus;
  } catch {
    return {};
  }
}
