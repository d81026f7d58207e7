/** What Azure answers, by its own codes. Pure. */
import { StillpointError } from '../../errors';
import { type Asked, answered, type CodeTable, failure, unanswered } from '../failures';

/** https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes */
const CODES: CodeTable = {
  ContainerNotFound: 'bucket-not-found',
  ContainerBeingDeleted: 'bucket-not-found',
  BlobNotFound: 'object-not-found',
  BlobAlreadyExists: 'object-exists',
  ConditionNotMet: 'object-exists',
  BlobImmutableDueToPolicy: 'object-locked',
  BlobImmutableDueToLegalHold: 'object-locked',
  AuthenticationFailed: 'store-credentials-refused',
  InvalidAuthenticationInfo: 'store-credentials-refused',
  NoAuthenticationInformation: 'store-credentials-refused',
  ExpiredAuthenticationToken: 'store-credentials-expired',
  AccountIsDisabled: 'store-denied',
  AuthorizationFailure: 'store-denied',
  AuthorizationPermissionMismatch: 'store-denied',
  InsufficientAccountPermissions: 'store-denied',
  Md5Mismatch: 'checksum-mismatch',
  Crc64Mismatch: 'checksum-mismatch',
  InternalError: 'store-unreachable',
  OperationTimedOut: 'store-unreachable',
  ServerBusy: 'store-unreachable',
};

/** Translates whatever the SDK throws. */
export function translate(asked: Asked, thrown: unknown): unknown {
  if (thrown instanceof StillpointError || !(thrown instanceof Error)) return thrown;
  const { statusCode, code, details } = thrown as Error & {
    readonly statusCode?: number;
    readonly code?: string;
    readonly details?: { readonly errorCode?: string };
  };
  // What the SDK's stream throws at a connection that broke; a signal of ours is looked at before.
  if (thrown.name === 'AbortError') return answeredNothing(asked, thrown);
  if (statusCode === undefined)
    return unanswered(asked, thrown) ?? (code === 'REQUEST_SEND_ERROR' ? answered(asked, { status: 503 }) : thrown);
  return answered(asked, { status: statusCode, code: details?.errorCode ?? code }, CODES);
}

function answeredNothing(asked: Asked, thrown: unknown): StillpointError {
  return failure('store-unreachable', asked, `the connection broke to ${asked.what} ${asked.store}`, thrown);
}
