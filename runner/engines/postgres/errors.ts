/** Translates what the driver and the network throw. By SQLSTATE and error code; a message is read only where there is no code. */
import { type ErrorCode, StillpointError } from '../../errors';
import { isUnreachable } from '../../network-errors';

/** The SQLSTATEs (PostgreSQL's appendix A) that mean something of their own to a backup. */
const BY_SQLSTATE: Readonly<Record<string, ErrorCode>> = {
  '28P01': 'authentication-failed', // invalid_password
  '28000': 'authentication-failed', // invalid_authorization_specification: no line in pg_hba.conf, no such role
  '3D000': 'config-invalid', // invalid_catalog_name: no such database
  '42501': 'privilege-missing', // insufficient_privilege
  '53300': 'server-unreachable', // too_many_connections
  '53400': 'server-unsafe', // configuration_limit_exceeded: all replication slots are in use
  '55P03': 'freeze-timeout', // lock_not_available
  '57014': 'freeze-timeout', // query_canceled: statement_timeout
  '57P01': 'session-lost', // admin_shutdown, and pg_terminate_backend
  '57P02': 'session-lost', // crash_shutdown
  '57P03': 'server-unreachable', // cannot_connect_now: starting up, or shutting down
  '57P05': 'session-lost', // idle_session_timeout
  '25P03': 'session-lost', // idle_in_transaction_session_timeout
  '25P04': 'session-lost', // transaction_timeout
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  'authentication-failed':
    'look at the Secret with the credentials, and at pg_hba.conf: does it let this user in from the address of the runner, with or without TLS?',
  'server-unreachable': 'look whether host and port are right, the server is up, and no network policy is in the way',
  'tls-failed':
    'look at the mode of the connection, the CA certificate, and the names in the certificate of the server',
  'config-invalid':
    'look at the database of the connection: PostgreSQL has one of the name postgres unless somebody dropped it',
  'privilege-missing': 'docs/postgres.md has the rights that a backup user needs',
  'server-unsafe': 'raise max_replication_slots, or drop slots that nobody uses',
  'session-lost': 'the server, a proxy or an administrator ended the connection; the log of the server says why',
};

/** What was attempted when the error came. */
export interface Attempt {
  /** For the message, as `connecting to orders-db:5432`. */
  readonly what: string;
  /** While connecting, an error without a code comes from the TLS handshake or the login; later, from a lost connection. */
  readonly phase: 'tls' | 'login' | 'statement';
}

/** Makes one of ours out of what `pg` threw. */
export function translate(thrown: unknown, { what, phase }: Attempt): StillpointError {
  if (thrown instanceof StillpointError) return thrown;
  // Happy Eyeballs: one error for each address that was tried.
  const first = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
  const code = codeOf(first);
  const ours = ourCode(code, phase, first);
  const hint = HINTS[ours];
  return new StillpointError(ours, `${what} failed: ${describe(first, code)}`, {
    cause: thrown,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The SQLSTATE or the code of Node, whichever it has. */
export function codeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

function ourCode(code: string | undefined, phase: Attempt['phase'], thrown: unknown): ErrorCode {
  if (code === undefined) return withoutCode(phase, thrown);
  const known = BY_SQLSTATE[code];
  if (known !== undefined) return known;
  if (code.startsWith('08')) return phase === 'statement' ? 'session-lost' : 'server-unreachable';
  if (isUnreachable(code)) return phase === 'statement' ? 'session-lost' : 'server-unreachable';
  if (phase === 'tls') return 'tls-failed';
  return phase === 'statement' ? 'freeze-failed' : 'server-unreachable';
}

/** `pg` throws errors without a code of its own accord; these are all that it has. */
function withoutCode(phase: Attempt['phase'], thrown: unknown): ErrorCode {
  const message = thrown instanceof Error ? thrown.message : '';
  if (message.startsWith('SASL') || message.includes('assword')) return 'authentication-failed';
  if (message === 'timeout expired' || message.startsWith('Connection terminated')) {
    return phase === 'statement' ? 'session-lost' : 'server-unreachable';
  }
  if (phase === 'tls') return 'tls-failed';
  return phase === 'statement' ? 'session-lost' : 'server-unreachable';
}

function describe(thrown: unknown, code: string | undefined): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}
