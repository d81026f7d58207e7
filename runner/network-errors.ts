/** What Node throws at every driver alike: told by its codes, never by its words. Pure. */
import { StillpointError } from './errors';

/** Codes of Node's network errors that mean that nobody answers. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'EACCES',
]);

/** Whether a code means that nobody answers, or does so no longer. */
export function isUnreachable(code: string): boolean {
  return UNREACHABLE.has(code);
}

/** Codes of OpenSSL and of Node for a handshake that failed, a certificate that is not trusted. */
export function isOfTls(code: string): boolean {
  return /^(EPROTO|ERR_(TLS|SSL)|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(code);
}

/** Why a signal was aborted, as an error to end a connection with. */
export function abortError(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new StillpointError('interrupted', 'interrupted');
}
