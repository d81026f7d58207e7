/** Translates what the driver and the server throw: by their codes, never by their words. */
import { type ErrorCode, StillpointError } from '../../errors';
import { isOfTls } from '../../network-errors';

/** The codes that mean something of their own to a backup. [doc: Neo4j status codes] */
const BY_CODE: Readonly<Record<string, ErrorCode>> = {
  'Neo.ClientError.Security.Unauthorized': 'authentication-failed',
  'Neo.ClientError.Security.AuthenticationRateLimit': 'authentication-failed',
  'Neo.ClientError.Security.CredentialsExpired': 'authentication-failed',
  'Neo.ClientError.Security.TokenExpired': 'authentication-failed',
  'Neo.ClientError.Security.Forbidden': 'privilege-missing',
  'Neo.ClientError.Database.DatabaseNotFound': 'config-invalid',
};

/** The driver's own: nobody answers, or does so no longer. */
const UNREACHABLE = new Set(['ServiceUnavailable', 'SessionExpired']);

const HINTS: Partial<Record<ErrorCode, string>> = {
  'authentication-failed':
    'look at the Secret with the credentials: a password that was never changed (CredentialsExpired) has to be changed first',
  'server-unreachable':
    'look whether host and port (7687) are right, the server is up, TLS is on or off on both sides, and no network policy is in the way',
  'tls-failed':
    'look at the mode of the connection, the CA certificate, and the names in the certificate of the server',
  'privilege-missing': 'docs/neo4j.md has what a backup user needs',
  'session-lost': 'the server or a proxy ended the connection; the log of the server says why',
};

/** What was attempted when the error came. */
export interface Attempt {
  /** For the message, as `connecting to graph:7687`. */
  readonly what: string;
  readonly phase: 'connect' | 'statement' | 'change';
}

/** Makes one of ours out of what the driver threw. */
export function translate(thrown: unknown, { what, phase }: Attempt): StillpointError {
  if (thrown instanceof StillpointError) return thrown;
  const { code: theirs } = (thrown ?? {}) as { readonly code?: unknown };
  const code = ourCode(String(theirs), phase);
  const hint = HINTS[code];
  const message = (thrown instanceof Error ? thrown.message : String(thrown)).split('. ')[0];
  return new StillpointError(code, `${what} failed: ${message} (${String(theirs)})`, {
    cause: thrown,
    ...(hint === undefined ? {} : { hint }),
  });
}

function ourCode(theirs: string, phase: Attempt['phase']): ErrorCode {
  const known = BY_CODE[theirs];
  if (known !== undefined) return known;
  if (isOfTls(theirs)) return 'tls-failed';
  if (phase === 'connect') return 'server-unreachable';
  if (UNREACHABLE.has(theirs)) return 'session-lost';
  return phase === 'change' ? 'restore-failed' : 'freeze-failed';
}
