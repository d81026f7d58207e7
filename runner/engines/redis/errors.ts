/** Translates what the driver, the server and the network throw: by their codes, never by their words. */
import { type ErrorCode, StillpointError } from '../../errors';
import { isOfTls, isUnreachable } from '../../network-errors';

/** The first words of the servers' errors, which are their codes, that mean something of their own to a backup. */
const BY_WORD: Readonly<Record<string, ErrorCode>> = {
  BUSY: 'long-running-statement',
  DENIED: 'authentication-failed',
  LOADING: 'server-unreachable',
  MASTERDOWN: 'server-unreachable',
  NOAUTH: 'authentication-failed',
  NOPERM: 'privilege-missing',
  WRONGPASS: 'authentication-failed',
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  'authentication-failed':
    'look at the Secret with the credentials, and at ACL LIST of the server; a server with requirepass alone has the user default',
  'server-unreachable': 'look whether host and port are right, the server is up, and no network policy is in the way',
  'tls-failed':
    'look at the mode of the connection, the CA certificate, and the names in the certificate of the server',
  'long-running-statement': 'a script or function keeps the server busy: wait for its end, or SCRIPT KILL',
  'privilege-missing':
    'docs/redis.md has the rights that a backup user needs; a managed server may not have the command at all',
  'session-lost': 'the server, a proxy or an administrator ended the connection; the log of the server says why',
};

/** What was attempted when the error came. */
export interface Attempt {
  /** For the message, as `connecting to sessions-db:6379`. */
  readonly what: string;
  readonly phase: 'connect' | 'command';
  /** What to do about a right that is missing. */
  readonly grant?: string;
}

/** Makes one of ours out of what the driver threw. */
export function translate(thrown: unknown, { what, phase, grant }: Attempt): StillpointError {
  if (thrown instanceof StillpointError) return thrown;
  const first = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
  const code = ourCode(first, phase);
  const hint = code === 'privilege-missing' ? (grant ?? HINTS[code]) : HINTS[code];
  return new StillpointError(code, `${what} failed: ${describe(first)}`, {
    cause: thrown,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The code at the beginning of an error that the server itself answered with; undefined when it was not the server. */
export function wordOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || codeOf(thrown) !== '') return undefined;
  return /^([A-Z]+) /.exec(thrown.message)?.[1];
}

/** Whether the server knows no such command: it is older, or the command was renamed away. */
function isUnknownCommand(thrown: unknown): boolean {
  return thrown instanceof Error && /^ERR unknown (sub)?command/i.test(thrown.message);
}

function ourCode(thrown: unknown, phase: Attempt['phase']): ErrorCode {
  if (isUnknownCommand(thrown)) return 'privilege-missing';
  const word = wordOf(thrown);
  const known = word === undefined ? undefined : BY_WORD[word];
  if (known !== undefined) return known;
  // While it connects, the driver sends AUTH and nothing else.
  if (word !== undefined) return phase === 'connect' ? 'authentication-failed' : 'freeze-failed';
  const code = codeOf(thrown);
  if (isOfTls(code)) return 'tls-failed';
  if (isUnreachable(code)) return phase === 'connect' ? 'server-unreachable' : 'session-lost';
  return phase === 'connect' ? 'server-unreachable' : 'session-lost';
}

function codeOf(thrown: unknown): string {
  return String((thrown as { code?: unknown } | undefined)?.code ?? '');
}

function describe(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = codeOf(thrown);
  return code !== '' && !message.includes(code) ? `${message} (${code})` : message;
}
