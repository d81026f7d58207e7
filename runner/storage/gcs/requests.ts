/** Requests to Google Cloud Storage, by its JSON API. */
import type { StoreConfig } from '../../../src/contract';
import type { Asked, CodeTable } from '../failures';
import { type HttpAnswer, HttpClient, type HttpRequest } from '../http';
import type { Retrying } from '../retrying';
import type { GoogleLogin } from './login';

export type GcsSettings = NonNullable<StoreConfig['gcs']>;

const ENDPOINT = 'https://storage.googleapis.com';

/** https://cloud.google.com/storage/docs/json_api/v1/status-codes */
const REASONS: CodeTable = {
  authError: 'store-credentials-refused',
  required: 'store-credentials-refused',
  conditionNotMet: 'object-exists',
  retentionPolicyNotMet: 'object-locked',
  objectUnderActiveHold: 'object-locked',
  rateLimitExceeded: 'store-unreachable',
  userRateLimitExceeded: 'store-unreachable',
  backendError: 'store-unreachable',
  internalError: 'store-unreachable',
};

/** An object as the API has it. */
export interface Resource {
  readonly name: string;
  readonly size: string;
  readonly generation: string;
  readonly updated: string;
  readonly md5Hash?: string;
}

export type GcsRequest = Omit<HttpRequest, 'signal'>;

export class GcsRequests {
  readonly #http = new HttpClient(REASONS, reasonOf);
  readonly #retrying: Retrying;
  readonly #login: GoogleLogin;
  readonly #settings: GcsSettings;

  constructor(retrying: Retrying, login: GoogleLogin, settings: GcsSettings) {
    this.#retrying = retrying;
    this.#login = login;
    this.#settings = settings;
  }

  /** Asks, again and again while that may help. */
  async ask(
    asked: Asked,
    request: GcsRequest,
    signal: AbortSignal,
    also: readonly number[] = [],
  ): Promise<Awaited<ReturnType<HttpClient['ask']>>> {
    return await this.#retrying.run({ signal, bytes: request.body?.length ?? 0 }, async (limited) => {
      return await this.once(asked, request, limited, also);
    });
  }

  async once(
    asked: Asked,
    request: GcsRequest,
    signal: AbortSignal,
    also: readonly number[] = [],
  ): Promise<Awaited<ReturnType<HttpClient['ask']>>> {
    return await this.#http.ask(asked, { ...request, headers: await this.#headers(asked, request), signal }, also);
  }

  /** Asks once, for an answer whose body is still to come. */
  async open(asked: Asked, request: GcsRequest, signal: AbortSignal): Promise<HttpAnswer> {
    return await this.#http.open(asked, { ...request, headers: await this.#headers(asked, request), signal });
  }

  /** `…/b/<bucket>/o`, or an object there. */
  url(key?: string, query: Readonly<Record<string, string | undefined>> = {}, upload = false): URL {
    const { endpoint = ENDPOINT, bucket } = this.#settings;
    const object = key === undefined ? '' : `/${encodeURIComponent(key)}`;
    const url = new URL(`${endpoint}${upload ? '/upload' : ''}/storage/v1/b/${encodeURIComponent(bucket)}/o${object}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    return url;
  }

  async #headers(asked: Asked, { headers }: GcsRequest): Promise<Readonly<Record<string, string>>> {
    return { ...headers, authorization: await this.#login.header(asked) };
  }
}

function reasonOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { error?: { errors?: readonly { reason?: string }[] } }).error?.errors?.[0]?.reason;
  } catch {
    return undefined;
  }
}
