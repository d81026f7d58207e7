/** One HTTP request to the API server, with what the account needs to be let in. Counts what it sends. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { KubeAccess } from './access';

/** One request, ready to be sent. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute, with its query. */
  readonly path: string;
  readonly body?: object | undefined;
  readonly contentType?: string | undefined;
  /** What the answer should be; JSON of the object when left out. */
  readonly accept?: string | undefined;
  /** How long the server may be silent. */
  readonly idleMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Sends a request; the answer's body is still to be read. Rejects when there is no answer. */
export async function send(access: KubeAccess, request: ApiRequest): Promise<IncomingMessage> {
  try {
    return await sendOnce(access, request);
  } catch (thrown) {
    // The server may close an idle connection in the very moment in which it is used again; Node's documentation
    // (http, request.reusedSocket) says to send such a request once more.
    if (thrown instanceof StaleConnection) return sendOnce(access, request);
    throw thrown;
  }
}

/** The whole body of an answer. */
export async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk as string;
  return text;
}

class StaleConnection extends Error {}

async function sendOnce(access: KubeAccess, request: ApiRequest): Promise<IncomingMessage> {
  const { agent, headers } = await access.options();
  const url = access.server;
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const options: RequestOptions = {
    method: request.method,
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port,
    // Some clusters stand behind a path of a shared server.
    path: url.pathname.replace(/\/$/, '') + request.path,
    agent,
    timeout: request.idleMs,
    headers: {
      ...(headers as Record<string, string>),
      Accept: request.accept ?? 'application/json',
      'User-Agent': 'stillpoint',
      ...(body === undefined
        ? {}
        : { 'Content-Type': request.contentType ?? 'application/json', 'Content-Length': Buffer.byteLength(body) }),
    },
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'http:' ? httpRequest : httpsRequest)(options, resolve);
    outgoing.on('timeout', () => outgoing.destroy(new Error(`silent for ${request.idleMs} ms`)));
    outgoing.on('error', (thrown: NodeJS.ErrnoException) => {
      const stale = outgoing.reusedSocket && (thrown.code === 'ECONNRESET' || thrown.code === 'EPIPE');
      reject(stale ? new StaleConnection(thrown.message, { cause: thrown }) : thrown);
    });
    outgoing.end(body);
  });
}

/**
 * Parses JSON. Whole numbers that a JavaScript number cannot hold come as strings: a content's creationTime has
 * nanoseconds since 1970.
 */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, function keepDigits(_key, value: unknown, ...more: unknown[]) {
    // Node has had the source text as a third argument since version 21; TypeScript's library does not know it yet.
    const source = (more[0] as { readonly source?: string } | undefined)?.source;
    if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value;
    return /^-?\d+$/.test(source) ? source : value;
  });
}
