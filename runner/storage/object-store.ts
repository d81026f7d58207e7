/**
 * What Stillpoint asks of a place for objects, whichever it is. Keys are relative to the store's own prefix, with `/`
 * between their parts. Every failure is a StillpointError; an aborted signal rejects with its reason.
 */
import { randomUUID } from 'node:crypto';

/** What the keys begin with by which a place is asked what may be done there: no object has one. */
export const PROBES = '.stillpoint-no-object-';

/** A key that no object has, and no other look asks for. */
export const probeKey = (): string => `${PROBES}${randomUUID()}`;

/** What is known of an upload before it begins. */
export interface PutOptions {
  readonly signal: AbortSignal;
  /** About how many bytes will come, where that is known: parts are sized by it. More may come, or fewer. */
  readonly expectedBytes?: number | undefined;
  /** Whether an object that has the key already gives way. Otherwise it stays, and the upload fails with `object-exists`. */
  readonly replace?: boolean | undefined;
  readonly contentType?: string | undefined;
}

/** What a store's own way to count a content together is called. */
export type ChecksumAlgorithm = 'crc32' | 'crc32c' | 'md5' | 'etag';

/** A checksum that the store itself has confirmed. */
export interface StoreChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** As the store writes it. */
  readonly value: string;
}

/** An object whose every byte the store has confirmed. */
export interface StoredObject {
  readonly key: string;
  /** Where it is, for people and records, as `s3://backups/shop/orders-db/dump.sql.zst`. Never with credentials. */
  readonly location: string;
  readonly bytes: number;
  readonly parts: number;
  readonly checksum: StoreChecksum;
  /** What the store calls this version of the object, where it keeps several. */
  readonly version?: string | undefined;
  /** Until when the store lets nobody remove it, where it was told so. */
  readonly lockedUntil?: string | undefined;
}

/** What a store says of an object without reading it. */
export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
  /** Changes when the object is replaced. */
  readonly version: string;
  readonly modified: Date;
}

/** Some bytes of an object: from the first, to before `end`, or all that follow. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number | undefined;
}

export interface GetOptions {
  readonly signal: AbortSignal;
  readonly range?: ByteRange | undefined;
}

/** How a call ends before its time. */
export interface CallOptions {
  readonly signal: AbortSignal;
}

/** What a place makes of what is deleted or replaced there. */
export interface KeptVersions {
  /** Whether it stays as an earlier version; undefined where these credentials may not find out. */
  readonly kept: boolean | undefined;
  /** Where {@link ObjectStore.delete} leaves it there: why, as `these credentials may not …`, and what helps. */
  readonly stay?: { readonly why: string; readonly hint: string } | undefined;
}

/** What a place itself says of locks, whatever the config says. */
export interface PlaceLock {
  /** Whether objects can be locked there; undefined where these credentials may not ask. */
  readonly able: boolean | undefined;
  /** The lock of each object that asks for none. */
  readonly byDefault?: { readonly mode: string; readonly days: number } | undefined;
}

/** A place for objects: a bucket, a container, a folder. */
export interface ObjectStore {
  /** As messages name it: `bucket backups at https://s3.example.com`. */
  readonly name: string;

  /**
   * Uploads a content of unknown length in bounded memory: a slow store holds the content back. Nothing is under the key
   * until everything is there and the store has confirmed its own checksum of it; when the content throws, the signal is
   * aborted or the store fails, what was uploaded is removed again, as far as the store can be reached.
   */
  put(key: string, content: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject>;

  /**
   * Reads an object. Throws object-not-found here, not in the stream. A connection that breaks is taken up where it broke,
   * as long as the object is the same one.
   */
  get(key: string, options: GetOptions): Promise<AsyncIterable<Uint8Array>>;

  /** Undefined when there is no such object. */
  head(key: string, options: CallOptions): Promise<ObjectInfo | undefined>;

  /** The objects whose keys begin with the prefix, a page at a time, in the order of their keys. */
  list(prefix: string, options: CallOptions): AsyncIterable<readonly ObjectInfo[]>;

  /** Removes objects, with all their versions where the store keeps several; one that is not there is no error. */
  delete(keys: readonly string[], options: CallOptions): Promise<void>;

  /** Of some keys those that may be there without being listed: earlier versions. Left out where a list shows all that there is. */
  hidden?(keys: readonly string[], options: CallOptions): Promise<readonly string[]>;

  /**
   * Whether something may be put there: throws what an upload would meet, and leaves nothing. Left out where that cannot be asked
   * without an object.
   */
  mayPut?(options: CallOptions): Promise<void>;

  /** What becomes of what is deleted. Changes nothing. Left out where nothing is known to keep versions. */
  versions?(options: CallOptions): Promise<KeptVersions>;

  /** What the place itself locks. Left out where nothing is known of locks. */
  placeLock?(options: CallOptions): Promise<PlaceLock>;

  /** Removes what uploads that never ended have left under the prefix. Answers how many there were. */
  abandon(prefix: string, options: CallOptions): Promise<number>;
}
