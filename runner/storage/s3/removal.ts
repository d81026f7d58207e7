/** Deletions in S3. Of a bucket that keeps versions all of an object's go: hidden is not deleted. */
import {
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
  type ObjectIdentifier,
  type S3Client,
} from '@aws-sdk/client-s3';
import { asStillpointError } from '../../errors';
import { type Asked, failure } from '../failures';
import type { Retrying } from '../retrying';
import { translate } from './failures';

/** What one DeleteObjects takes. */
const DELETE_AT_ONCE = 1000;
/** What a bucket without versions calls the only one that there is. */
const NONE = 'null';
/** How servers answer that these credentials may not ask it, and those that do not know what is asked. */
export const DENIED = 'store-denied';
export const UNKNOWN: readonly string[] = ['store-refused', 'object-not-found'];

/** Where objects are deleted, and by what. */
export interface S3Deleting {
  readonly client: S3Client;
  readonly bucket: string;
  readonly retrying: Retrying;
  readonly store: string;
  /** A key as the caller has it. */
  readonly shown: (full: string) => string;
}

type Sent<T> = (options: { readonly abortSignal: AbortSignal }) => Promise<T>;

/** Deletes objects by their whole keys; one that is not there is no error. */
export async function deleteAll(within: S3Deleting, keys: readonly string[], signal: AbortSignal): Promise<void> {
  const versions = await versionsOf(within, keys, signal);
  const known = Array.isArray(versions) ? versions : [];
  const listed = new Set(known.map(({ Key }) => Key));
  // A server that knows of no versions may list none.
  const others = keys.filter((key) => !listed.has(key)).map((Key) => ({ Key }));
  const hidden = await deleteEach(within, [...known.map(unnamed), ...others], signal);
  if (hidden.length === 0) return;
  if (Array.isArray(versions)) {
    // What the bucket had before it kept versions is hidden when it is deleted without their name for it, as servers without any want it.
    const left = await versionsOf(within, hidden, signal);
    if (Array.isArray(left) && (await deleteEach(within, left, signal)).length === 0) return;
  }
  throw failure(
    'store-denied',
    within,
    `${within.shown(hidden[0] ?? '')} is hidden in ${within.store}, and still there: the bucket keeps versions, and these credentials may not list them`,
  );
}

/** Those of the keys that have versions: all of them where these credentials may not find it out. */
export async function versionedOf(
  within: S3Deleting,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const versions = await versionsOf(within, keys, signal);
  if (versions === 'denied') return keys;
  return Array.isArray(versions) ? versions.flatMap(({ Key }) => (Key === undefined ? [] : [Key])) : [];
}

const unnamed = ({ Key, VersionId }: ObjectIdentifier): ObjectIdentifier =>
  VersionId === NONE ? { Key } : { Key, VersionId };

const foldersOf = (keys: readonly string[]): ReadonlySet<string> =>
  new Set(keys.map((key) => key.slice(0, key.lastIndexOf('/') + 1)));

/** Answers with those that were hidden instead, as a bucket with versions does. */
async function deleteEach(
  within: S3Deleting,
  objects: readonly ObjectIdentifier[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const keys = new Set(objects.map(({ Key = '' }) => Key));
  const what = keys.size === 1 ? within.shown([...keys][0] ?? '') : `${keys.size} objects`;
  const hidden: string[] = [];
  for (let at = 0; at < objects.length; at += DELETE_AT_ONCE)
    hidden.push(...(await deleteSome(within, `delete ${what} from`, objects.slice(at, at + DELETE_AT_ONCE), signal)));
  return hidden;
}

async function deleteSome(
  within: S3Deleting,
  what: string,
  objects: readonly ObjectIdentifier[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { client, bucket, store, shown } = within;
  const command = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [...objects] } });
  const { Errors = [], Deleted = [] } = await send(within, { what, store }, signal, (options) =>
    client.send(command, options),
  );
  const [refused] = Errors.filter(({ Code }) => Code !== 'NoSuchKey' && Code !== 'NoSuchVersion');
  if (refused !== undefined) {
    const error = Object.assign(new Error(refused.Message ?? ''), {
      name: refused.Code ?? 'unknown',
      $metadata: { httpStatusCode: 400 },
    });
    throw translate({ what: `delete ${shown(refused.Key ?? '')} from`, store }, error);
  }
  return Deleted.filter(({ DeleteMarker, VersionId }) => DeleteMarker === true && VersionId === undefined).flatMap(
    ({ Key }) => (Key === undefined ? [] : [Key]),
  );
}

/** All versions of the objects, and what hides them, where that can be asked: there may be such, or the server knows of none. */
async function versionsOf(
  within: S3Deleting,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<ObjectIdentifier[] | 'denied' | 'unknown'> {
  const wanted = new Set(keys);
  const found: ObjectIdentifier[] = [];
  try {
    for (const folder of foldersOf(keys)) {
      for await (const each of listed(within, folder, signal)) if (wanted.has(each.Key ?? '')) found.push(each);
    }
  } catch (thrown) {
    signal.throwIfAborted();
    const { code } = asStillpointError(thrown);
    if (code === DENIED) return 'denied';
    if (UNKNOWN.includes(code)) return 'unknown';
    throw thrown;
  }
  return found;
}

async function* listed(
  within: S3Deleting,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ObjectIdentifier, void> {
  const { client, bucket, store } = within;
  let from: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } | undefined = {};
  while (from !== undefined) {
    const command: ListObjectVersionsCommand = new ListObjectVersionsCommand({
      Bucket: bucket,
      Prefix: prefix,
      ...from,
    });
    const page = await send(within, { what: 'list the versions in', store }, signal, (options) =>
      client.send(command, options),
    );
    for (const { Key, VersionId } of [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])])
      yield { Key, VersionId };
    const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
    from =
      page.IsTruncated === true && KeyMarker !== undefined
        ? { KeyMarker, ...(VersionIdMarker === undefined ? {} : { VersionIdMarker }) }
        : undefined;
  }
}

/** Sends, again and again while that may help. What it throws is translated. */
export async function send<T>({ retrying }: S3Deleting, asked: Asked, signal: AbortSignal, sent: Sent<T>): Promise<T> {
  return await retrying.run({ signal }, async (limited) => {
    return await sent({ abortSignal: limited }).catch((error: unknown) => {
      throw translate(asked, error);
    });
  });
}
