/** What a bucket does with what is deleted, and what it locks: asked of the bucket, by credentials that may not be allowed to. */
import {
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3';
import { asStillpointError } from '../../errors';
import type { Asked } from '../failures';
import { type KeptVersions, type PlaceLock, probeKey } from '../object-store';
import { DENIED, type S3Deleting, send, UNKNOWN } from './removal';

const DAYS_OF_YEAR = 365;
const RIGHTS = { list: 's3:ListBucketVersions', delete: 's3:DeleteObjectVersion' } as const;

/** Whether the bucket keeps versions, and whether these credentials may remove them. `prefix`: what the keys of the store begin with. */
export async function keptVersions(within: S3Deleting, prefix: string, signal: AbortSignal): Promise<KeptVersions> {
  const kept = await isVersioned(within, prefix, signal);
  if (kept !== true) return { kept };
  const missing = [
    ...((await mayList(within, prefix, signal)) ? [] : [RIGHTS.list]),
    ...((await mayDelete(within, prefix, signal)) ? [] : [RIGHTS.delete]),
  ];
  if (missing.length === 0) return { kept };
  const verbs = missing.map((right) => (right === RIGHTS.list ? 'list' : 'delete')).join(' and ');
  return {
    kept,
    stay: {
      why: `these credentials may not ${verbs} versions`,
      hint: `allow them ${missing.join(' and ')}, or have a lifecycle rule of the bucket remove earlier versions`,
    },
  };
}

/** By the bucket's own word; where that may not be asked, by what it says of an object that is there. */
async function isVersioned(within: S3Deleting, prefix: string, signal: AbortSignal): Promise<boolean | undefined> {
  const { client, bucket: Bucket } = within;
  const versioning = await told(within, { what: 'ask for the versioning of' }, signal, (options) =>
    client.send(new GetBucketVersioningCommand({ Bucket }), options),
  );
  if (versioning !== undefined) return versioning.Status !== undefined;
  const first = await told(within, { what: 'list' }, signal, (options) =>
    client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, MaxKeys: 1 }), options),
  );
  const Key = first?.Contents?.[0]?.Key;
  if (Key === undefined) return undefined;
  const object = await told(within, { what: 'look at an object in', ofObject: true }, signal, (options) =>
    client.send(new HeadObjectCommand({ Bucket, Key }), options),
  );
  if (object === undefined) return undefined;
  if (object.VersionId === undefined) return false;
  // It is older than the versions that are kept, or none are kept for the time being.
  return object.VersionId === 'null' ? undefined : true;
}

async function mayList(within: S3Deleting, prefix: string, signal: AbortSignal): Promise<boolean> {
  const { client, bucket: Bucket } = within;
  const page = await told(within, { what: 'list the versions in' }, signal, (options) =>
    client.send(new ListObjectVersionsCommand({ Bucket, Prefix: prefix, MaxKeys: 1 }), options),
  );
  return page !== undefined;
}

/** Asked by the deletion of a version that no object has: there is nothing that it could remove, and nothing that it could hide. */
async function mayDelete(within: S3Deleting, prefix: string, signal: AbortSignal): Promise<boolean> {
  const { client, bucket: Bucket } = within;
  const Objects = [{ Key: `${prefix}${probeKey()}`, VersionId: 'null' }];
  const deleted = await told(within, { what: 'ask whether versions may be deleted in' }, signal, (options) =>
    client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }), options),
  );
  return deleted !== undefined && !(deleted.Errors ?? []).some(({ Code }) => Code === 'AccessDenied');
}

/** The bucket's object lock. */
export async function placeLock(within: S3Deleting, signal: AbortSignal): Promise<PlaceLock> {
  const { client, bucket: Bucket } = within;
  const asked = await told(within, { what: 'ask for the object lock of' }, signal, (options) =>
    client.send(new GetObjectLockConfigurationCommand({ Bucket }), options).catch((error: Error) => {
      if (error.name === 'ObjectLockConfigurationNotFoundError') return { ObjectLockConfiguration: undefined };
      throw error;
    }),
  );
  if (asked === undefined) return { able: undefined };
  const { ObjectLockEnabled, Rule } = asked.ObjectLockConfiguration ?? {};
  const { Mode: mode, Days, Years } = Rule?.DefaultRetention ?? {};
  const days = Days ?? (Years === undefined ? undefined : Years * DAYS_OF_YEAR);
  return {
    able: ObjectLockEnabled === 'Enabled',
    ...(mode === undefined || days === undefined ? {} : { byDefault: { mode, days } }),
  };
}

/** Undefined where these credentials may not have the answer, or the server does not know the question: that is no failure. */
async function told<T>(
  within: S3Deleting,
  asked: Omit<Asked, 'store'>,
  signal: AbortSignal,
  sent: Parameters<typeof send<T>>[3],
): Promise<T | undefined> {
  try {
    return await send(within, { ...asked, store: within.store }, signal, sent);
  } catch (thrown) {
    signal.throwIfAborted();
    const { code } = asStillpointError(thrown);
    if (code === DENIED || UNKNOWN.includes(code)) return undefined;
    throw thrown;
  }
}
