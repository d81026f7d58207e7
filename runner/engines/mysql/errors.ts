/** Translates what the driver, the server and the network throw: by their codes, never by their words. */
import { type ErrorCode, StillpointError } from '../../errors';
import { isOfTls, isUnreachable } from '../../network-errors';

/** The servers' error numbers that mean something of their own to a backup. */
const BY_NUMBER: Readonly<Record<number, ErrorCode>> = {
  1040: 'server-unreachable', // ER_CON_COUNT_ERROR: too many connections
  1044: 'privilege-missing', // ER_DBACCESS_DENIED_ERROR
  1045: 'authentication-failed', // ER_ACCESS_DENIED_ERROR
  1049: 'config-invalid', // ER_BAD_DB_ERROR
  1053: 'session-lost', // ER_SERVER_SHUTDOWN
  1129: 'server-unreachable', // ER_HOST_IS_BLOCKED
  1130: 'authentication-failed', // ER_HOST_NOT_PRIVILEGED
  1142: 'privilege-missing', // ER_TABLEACCESS_DENIED_ERROR
  1205: 'freeze-timeout', // ER_LOCK_WAIT_TIMEOUT
  1213: 'freeze-timeout', // ER_LOCK_DEADLOCK
  1227: 'privilege-missing', // ER_SPECIFIC_ACCESS_DENIED_ERROR
  1317: 'session-lost', // ER_QUERY_INTERRUPTED: killed
  1524: 'authentication-failed', // ER_PLUGIN_IS_NOT_LOADED: the account logs in by a method that is not there
  1698: 'authentication-failed', // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  1927: 'session-lost', // ER_CONNECTION_KILLED, of MariaDB
  3159: 'authentication-failed', // ER_SECURE_TRANSPORT_REQUIRED
  4031: 'session-lost', // ER_CLIENT_INTERACTION_TIMEOUT: wait_timeout
};

/** The driver's own. */
const CONNECTION_LOST = 'PROTOCOL_CONNECTION_LOST';

const HINTS: Partial<Record<ErrorCode, string>> = {
  'authentication-failed':
    'look at the Secret with the credentials, and at the accounts of the server: does one of them let this user in from the address of the runner, with or without TLS?',
  'server-unreachable': 'look whether host and port are right, the server is up, and no network policy is in the way',
  'tls-failed':
    'look at the mode of the connection, the CA certificate, and the names in the certificate of the server',
  'freeze-timeout': 'statements or transactions were in the way: look at SHOW PROCESSLIST, or choose a quieter hour',
  'privilege-missing': 'docs/mysql.md has the rights that a backup user needs',
  'session-lost': 'the server, a proxy or an administrator ended the connection; the log of the server says why',
};

/** What was attempted when the error came. */
export interface Attempt {
  /** For the message, as `connecting to orders-db:3306`. */
  readonly what: string;
  readonly phase: 'connect' | 'statement';
}

/** Makes one of ours out of what the driver threw. */
export function translate(thrown: unknown, { what, phase }: Attempt): StillpointError {
  if (thrown instanceof StillpointError) return thrown;
  const first = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
  const code = ourCode(first, phase);
  const hint = HINTS[code];
  return new StillpointError(code, `${what} failed: ${describe(first)}`, {
    cause: thrown,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The server's own error number, where it was the server that spoke. */
export function numberOf(thrown: unknown): number | undefined {
  const { errno, code } = (thrown ?? {}) as { readonly errno?: unknown; readonly code?: unknown };
  // Node's own errors have negative numbers.
  return typeof errno === 'number' && errno > 0 && !isUnreachable(String(code)) ? errno : undefined;
}

function ourCode(thrown: unknown, phase: Attempt['phase']): ErrorCode {
  const number = numberOf(thrown);
  const known = number === undefined ? undefined : BY_NUMBER[number];
  if (known !== undefined) return known;
  if (number !== undefined) return phase === 'connect' ? 'server-unreachable' : 'freeze-failed';
  const code = String((thrown as { code?: unknown } | undefined)?.code ?? '');
  if (isUnreachable(code) || code === CONNECTION_LOST)
    return phase === 'connect' ? 'server-unreachable' : 'session-lost';
  if (/^HANDSHAKE_(NO_)?SSL/.test(code) || isOfTls(code)) return 'tls-failed';
  return phase === 'connect' ? 'server-unreachable' : 'session-lost';
}

function describe(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = (thrown as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && !message.includes(code) ? `${message} (${code})` : message;
}
