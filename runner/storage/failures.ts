/** What stores answer, as errors of our own: told by codes and statuses, never a body, never a header. Pure. */
import { type ErrorCode, StillpointError } from '../errors';
import { isOfTls, isUnreachable } from '../network-errors';

/** What was asked of a store, as messages name it. */
export interface Asked {
  /** As `upload part 3 of shop/dump.sql to`. */
  readonly what: string;
  /** {@link ObjectStore.name}. */
  readonly store: string;
  /** Whether the request is for one object: a 404 then means that, else the bucket. */
  readonly ofObject?: boolean | undefined;
}

/** An answer that is no success. */
export interface StoreAnswer {
  readonly status?: number | undefined;
  /** The store's own code, as `NoSuchBucket`. */
  readonly code?: string | undefined;
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  'bucket-not-found': 'look at its name, region and endpoint; Stillpoint makes no buckets',
  'store-denied': 'look at the policy of the account: it has to list, read, write and delete under the prefix',
  'store-credentials-refused': 'look at the Secret with the credentials, and at the clock of the node',
  'store-credentials-expired': 'renew the credentials in the Secret, or let the workload have an identity',
  'store-unreachable': 'is the endpoint right, and reachable from the pod?',
  'checksum-mismatch': 'try again; if it stays, something on the way changes what is sent',
  'object-exists': 'choose another name, or remove it first',
  'object-locked': 'wait until its lock has ended',
  'tls-failed': 'give the certificate authority of the endpoint',
};

/** Codes that a store has of its own, and what they mean here. */
export type CodeTable = Readonly<Record<string, ErrorCode>>;

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'store-credentials-refused',
  403: 'store-denied',
  408: 'store-unreachable',
  409: 'store-unreachable',
  412: 'object-exists',
  422: 'checksum-mismatch',
  425: 'store-unreachable',
  429: 'store-unreachable',
};

/** Translates an answer: by the store's own code where the table knows it, else by the status. */
export function answered(asked: Asked, { status, code }: StoreAnswer, table: CodeTable = {}): StillpointError {
  const known = code !== undefined && Object.hasOwn(table, code) ? table[code] : undefined;
  const ours = known ?? byStatus(asked, status);
  // Without a body to tell, clients make up a name.
  const said = [status, /^Unknown/.test(code ?? '') ? undefined : code].filter((part) => part !== undefined).join(' ');
  return failure(
    ours,
    asked,
    `the store answered ${said === '' ? 'with an error' : said} to ${asked.what} ${asked.store}`,
  );
}

function byStatus({ ofObject }: Asked, status = 0): ErrorCode {
  if (status === 404) return ofObject === true ? 'object-not-found' : 'bucket-not-found';
  return BY_STATUS[status] ?? (status >= 500 ? 'store-unreachable' : 'store-refused');
}

/** Translates what Node throws when there is no answer; undefined when it is something else. */
export function unanswered(asked: Asked, thrown: unknown): StillpointError | undefined {
  const code = networkCode(thrown);
  if (code === undefined) return undefined;
  if (isOfTls(code))
    return failure('tls-failed', asked, `no TLS connection to ${asked.what} ${asked.store}: ${code}`, thrown);
  return failure('store-unreachable', asked, `no answer to ${asked.what} ${asked.store}: ${code}`, thrown);
}

/** Codes of undici and of HTTP parsers that mean that a connection broke. */
const BROKEN =
  /^(UND_ERR_(SOCKET|CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT)|HPE_\w+|ERR_STREAM_PREMATURE_CLOSE|ECONNABORTED|ERR_HTTP2?_\w+)$/;
/** Names that clients give to connections that broke without a code. */
const BROKEN_NAMES = new Set(['TimeoutError', 'RequestTimeout', 'NetworkingError']);

/** The code of a network error, or of its causes. */
function networkCode(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code === 'string' && (isUnreachable(code) || isOfTls(code) || BROKEN.test(code))) return code;
    if (BROKEN_NAMES.has(error.name)) return error.name;
    if (error instanceof AggregateError) return networkCode(error.errors[0]);
    // Of Node's http, without a code: the other side closed before it had answered.
    if (error.message === 'aborted' || error.message === 'terminated') return 'ECONNRESET';
  }
  return undefined;
}

/** An error about a store, with the hint that belongs to its code. */
export function failure(
  code: ErrorCode,
  { store }: Pick<Asked, 'store'>,
  message: string,
  cause?: unknown,
): StillpointError {
  const hint = HINTS[code];
  const sentence = message.includes(store) ? message : `${message} (${store})`;
  return new StillpointError(code, sentence, { ...(hint === undefined ? {} : { hint }), cause });
}

/** The store has not confirmed what was sent. */
export function unconfirmed(asked: Asked, sent: string, confirmed: string | undefined): StillpointError {
  const said =
    confirmed === undefined ? 'confirms no checksum' : `has the checksum ${confirmed}, and ${sent} was sent,`;
  return failure('checksum-mismatch', asked, `the store ${said} after the request to ${asked.what} ${asked.store}`);
}
