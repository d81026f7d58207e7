/** Requests to a Swift account: with a token, and with a new one when that has ended. */
import { StillpointError } from '../../errors';
import type { Asked } from '../failures';
import { type HttpAnswer, HttpClient, type HttpRequest } from '../http';
import type { Retrying } from '../retrying';
import { logIn, type SwiftSession } from './login';

/** One request within the account. */
export interface SwiftRequest extends Omit<HttpRequest, 'url' | 'signal'> {
  /** Below the account: the container, or the container and an object. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string>> | undefined;
}

export class SwiftAccount {
  readonly #http = new HttpClient();
  readonly #retrying: Retrying;
  readonly #folder: string;
  readonly #region: string | undefined;
  #session: Promise<SwiftSession> | undefined;

  constructor(retrying: Retrying, folder: string, region: string | undefined) {
    this.#retrying = retrying;
    this.#folder = folder;
    this.#region = region;
  }

  /** What the server calls the account, and where: whoever logs in, and however. */
  async name(signal: AbortSignal): Promise<string> {
    const { host, pathname } = new URL((await this.#logged(signal)).storageUrl);
    return `account ${decodeURIComponent(pathname.split('/').at(-1) ?? '')} at ${host}`;
  }

  /** Asks, again and again while that may help. */
  async ask(
    asked: Asked,
    request: SwiftRequest,
    signal: AbortSignal,
    also: readonly number[] = [],
  ): Promise<Awaited<ReturnType<HttpClient['ask']>>> {
    const bytes = request.body?.length ?? 0;
    return await this.#retrying.run({ signal, bytes }, async (limited) => {
      return await this.#withToken(limited, async (full) => await this.#http.ask(asked, full, also), request);
    });
  }

  /** Asks once, for an answer whose body is still to come. */
  async open(asked: Asked, request: SwiftRequest, signal: AbortSignal): Promise<HttpAnswer> {
    return await this.#withToken(signal, async (full) => await this.#http.open(asked, full), request);
  }

  /** What the server says that it can do, where it says it. */
  async limits(asked: Asked, signal: AbortSignal): Promise<{ readonly segments: number }> {
    const { storageUrl } = await this.#logged(signal);
    const answer = await this.#retrying.run({ signal }, async (limited) => {
      const url = new URL('/info', storageUrl);
      return await this.#http.ask(asked, { method: 'GET', url, signal: limited }, [401, 403, 404]);
    });
    if (answer.status !== 200) return { segments: DEFAULT_SEGMENTS };
    const { slo } = JSON.parse(answer.text) as { readonly slo?: { readonly max_manifest_segments?: number } };
    return { segments: slo?.max_manifest_segments ?? DEFAULT_SEGMENTS };
  }

  async #withToken<T>(
    signal: AbortSignal,
    work: (request: HttpRequest) => Promise<T>,
    { path, query, headers, ...request }: SwiftRequest,
  ): Promise<T> {
    const attempt = async (): Promise<T> => {
      const { storageUrl, token } = await this.#logged(signal);
      const url = new URL(`${storageUrl}/${path.map(encoded).join('/')}`);
      for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
      return await work({ ...request, url, headers: { ...headers, 'x-auth-token': token }, signal });
    };
    const fresh = this.#session === undefined;
    try {
      return await attempt();
    } catch (error) {
      const ended = error instanceof StillpointError && error.code === 'store-credentials-refused';
      if (!ended || fresh) throw error;
    }
    this.#session = undefined;
    return await attempt();
  }

  async #logged(signal: AbortSignal): Promise<SwiftSession> {
    this.#session ??= logIn(this.#http, this.#folder, this.#region, signal);
    try {
      return await this.#session;
    } catch (error) {
      this.#session = undefined;
      throw error;
    }
  }
}

/** Of a server that says nothing. */
const DEFAULT_SEGMENTS = 1000;

function encoded(part: string): string {
  return part.split('/').map(encodeURIComponent).join('/');
}
