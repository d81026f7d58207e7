/** What S3 answers, by its own codes. Pure. */
import { StillpointError } from '../../errors';
import { type Asked, answered, type CodeTable, failure, unanswered } from '../failures';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and those of other servers. */
const CODES: CodeTable = {
  NoSuchBucket: 'bucket-not-found',
  NoSuchKey: 'object-not-found',
  NoSuchVersion: 'object-not-found',
  NoSuchUpload: 'object-not-found',
  NotImplemented: 'store-refused',
  AccessDenied: 'store-denied',
  AllAccessDisabled: 'store-denied',
  InvalidAccessKeyId: 'store-credentials-refused',
  SignatureDoesNotMatch: 'store-credentials-refused',
  InvalidClientTokenId: 'store-credentials-refused',
  InvalidToken: 'store-credentials-refused',
  AuthorizationHeaderMalformed: 'store-refused',
  RequestTimeTooSkewed: 'store-credentials-refused',
  ExpiredToken: 'store-credentials-expired',
  ExpiredTokenException: 'store-credentials-expired',
  TokenRefreshRequired: 'store-credentials-expired',
  BadDigest: 'checksum-mismatch',
  InvalidDigest: 'checksum-mismatch',
  XAmzContentChecksumMismatch: 'checksum-mismatch',
  XAmzContentSHA256Mismatch: 'checksum-mismatch',
  PreconditionFailed: 'object-exists',
  ObjectLocked: 'object-locked',
  InternalError: 'store-unreachable',
  OperationAborted: 'store-unreachable',
  ConditionalRequestConflict: 'store-unreachable',
  RequestTimeout: 'store-unreachable',
  ServiceUnavailable: 'store-unreachable',
  SlowDown: 'store-unreachable',
};

/** A lock answers AccessDenied, as a policy does: only its sentence tells. */
const LOCK = /object lock|worm protected/i;

/** Translates whatever the client throws. */
export function translate(asked: Asked, thrown: unknown): unknown {
  if (thrown instanceof StillpointError || !(thrown instanceof Error)) return thrown;
  const { status, name, message } = answerOf(thrown);
  if (/CredentialsProviderError|CredentialsError/.test(name)) {
    return failure(
      'credentials-unreadable',
      asked,
      `the pod has no credentials to ${asked.what} ${asked.store}`,
      thrown,
    );
  }
  if (status === undefined) return unanswered(asked, thrown) ?? thrown;
  if (LOCK.test(message))
    return failure('object-locked', asked, `a lock is in the way to ${asked.what} ${asked.store}`);
  return answered(asked, { status, code: name }, CODES);
}

interface S3Answer {
  readonly status: number | undefined;
  readonly name: string;
  readonly message: string;
}

function answerOf(thrown: Error): S3Answer {
  const { $metadata, name, message } = thrown as Error & { readonly $metadata?: { readonly httpStatusCode?: number } };
  return { status: $metadata?.httpStatusCode, name, message };
}

/** Whether the answer was that there is nothing, of whichever kind. */
export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof Error && answerOf(thrown).status === 404;
}
