/** Translates what the driver, the server and the network throw: by their codes, never by their words. */
import { type ErrorCode, StillpointError } from '../../errors';
import { isOfTls } from '../../network-errors';
import { at } from './reply';

/** fsyncUnlock of a server that is not locked. */
export const ILLEGAL_OPERATION = 20;
/** A command that the server does not know. */
export const COMMAND_NOT_FOUND = 59;
/** The server is no member of a replica set. */
export const NO_REPLICATION = 76;
/** The account may not do that. */
export const UNAUTHORIZED = 13;
/** A limit that the command itself has named was over (`maxTimeMS`). */
export const MAX_TIME_EXPIRED = 50;

/** The server's error numbers that mean something of their own to a backup. */
const BY_NUMBER: Readonly<Record<number, ErrorCode>> = {
  11: 'authentication-failed', // UserNotFound
  13: 'privilege-missing', // Unauthorized
  18: 'authentication-failed', // AuthenticationFailed
  24: 'freeze-timeout', // LockTimeout
  50: 'freeze-timeout', // MaxTimeMSExpired
  91: 'session-lost', // ShutdownInProgress
  334: 'authentication-failed', // MechanismUnavailable
  11600: 'session-lost', // InterruptedAtShutdown
  11601: 'session-lost', // Interrupted: killed
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  'authentication-failed':
    'look at the Secret with the credentials, and at the database that the user was created in (authenticationDatabase)',
  'server-unreachable':
    'look whether host and port are right, the server is up, and no network policy is in the way; a server that is left locked (fsync) may let nobody log in',
  'tls-failed':
    'look at the mode of the connection, the CA certificate, and the names in the certificate of the server',
  'freeze-timeout': 'writes or transactions were in the way: look at db.currentOp(), or choose a quieter hour',
  'privilege-missing': 'docs/mongodb.md has the role that a backup user needs',
  'session-lost': 'the server or an administrator ended the connection; the log of the server says why',
};

/** What was attempted when the error came. */
export interface Attempt {
  /** For the message, as `connecting to mongo-0:27017`. */
  readonly what: string;
  readonly phase: 'connect' | 'command';
}

/** Makes one of ours out of what the driver threw. */
export function translate(thrown: unknown, { what, phase }: Attempt): StillpointError {
  if (thrown instanceof StillpointError) return thrown;
  const code = ourCode(thrown, phase);
  const hint = HINTS[code];
  return new StillpointError(code, `${what} failed: ${describe(thrown)}`, {
    cause: thrown,
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * The server's own error number, where it was the server that spoke; also of an error that was translated already. A mongos
 * that could not lock has the number of its shards in `all`, and none of its own. [src: cluster_fsync_cmd.cpp]
 */
export function numberOf(thrown: unknown): number | undefined {
  for (const error of causes(thrown)) {
    // A signal that ran out has a number as well, of another list.
    if (error instanceof DOMException) continue;
    const number = [at(error, 'code'), at(error, 'all.code')].find((code) => typeof code === 'number');
    if (number !== undefined) return number as number;
  }
  return undefined;
}

function ourCode(thrown: unknown, phase: Attempt['phase']): ErrorCode {
  const number = numberOf(thrown);
  const known = number === undefined ? undefined : BY_NUMBER[number];
  if (known !== undefined) return known;
  const spoke = number !== undefined || causes(thrown).some((error) => at(error, 'name') === 'MongoServerError');
  if (spoke) return phase === 'connect' ? 'server-unreachable' : 'freeze-failed';
  if (causes(thrown).some((error) => isOfTls(String((error as { code?: unknown }).code ?? '')))) return 'tls-failed';
  return phase === 'connect' ? 'server-unreachable' : 'session-lost';
}

/** The error and what caused it: the driver wraps those of the network, and of the server while it connects. */
function causes(thrown: unknown): readonly object[] {
  const found: object[] = [];
  for (let next: unknown = thrown; typeof next === 'object' && next !== null && found.length < 8; ) {
    found.push(next);
    next = (next as { readonly cause?: unknown }).cause;
  }
  return found;
}

function describe(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const { codeName } = (thrown ?? {}) as { readonly codeName?: unknown };
  return typeof codeName === 'string' && !message.includes(codeName) ? `${message} (${codeName})` : message;
}
