/** S3, and everything that speaks it. */
import {
  AbortMultipartUploadCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { StoreConfig } from '../../../src/contract';
import { StillpointError } from '../../errors';
import { type Asked, answered, failure } from '../failures';
import { fullKey, fullPrefix, ownKey } from '../keys';
import {
  type CallOptions,
  type GetOptions,
  type KeptVersions,
  type ObjectInfo,
  type ObjectStore,
  type PlaceLock,
  PROBES,
  type PutOptions,
  probeKey,
  type StoredObject,
} from '../object-store';
import { openResuming } from '../resuming';
import { Retrying, type StoreContext } from '../retrying';
import { connect, type S3Settings } from './client';
import { isNotFound, translate } from './failures';
import { keptVersions, placeLock } from './keeping';
import { deleteAll, type S3Deleting, versionedOf } from './removal';
import { S3Upload } from './upload';

/** Opens a bucket. Nothing is asked of it yet. */
export async function openS3(config: StoreConfig, settings: S3Settings, context: StoreContext): Promise<ObjectStore> {
  const client = await connect(settings, config.credentialsDirectory, context.clock);
  return new S3Store(client, settings, config.prefix, context);
}

class S3Store implements ObjectStore {
  readonly name: string;
  readonly #client: S3Client;
  readonly #settings: S3Settings;
  readonly #prefix: string | undefined;
  readonly #context: StoreContext;
  readonly #retrying: Retrying;

  constructor(client: S3Client, settings: S3Settings, prefix: string | undefined, context: StoreContext) {
    const { bucket, endpoint, region } = settings;
    this.name = `bucket ${bucket} at ${endpoint ?? `S3${region === undefined ? '' : ` in ${region}`}`}`;
    this.#client = client;
    this.#settings = settings;
    this.#prefix = prefix;
    this.#context = context;
    this.#retrying = new Retrying(context);
  }

  async put(key: string, content: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject> {
    const uploaded = await this.#upload(key, options).run(content);
    return { key, location: `s3://${this.#settings.bucket}/${fullKey(this.#prefix, key)}`, ...uploaded };
  }

  async mayPut(options: CallOptions): Promise<void> {
    // One that a look before this has left, since its pod was gone.
    await this.abandon(PROBES, options).catch(() => options.signal.throwIfAborted());
    await this.#upload(probeKey(), options, 'anything').probe();
  }

  /** `shown`: how messages name it. */
  #upload(key: string, options: PutOptions, shown = key): S3Upload {
    const target = {
      client: this.#client,
      settings: this.#settings,
      retrying: this.#retrying,
      clock: this.#context.clock,
      key: fullKey(this.#prefix, key),
      shown,
      store: this.name,
    };
    return new S3Upload(target, options);
  }

  async get(key: string, { signal, range }: GetOptions): Promise<AsyncIterable<Uint8Array>> {
    const asked = this.#asked(`read ${key} from`, true);
    const place = this.#place(key);
    return await openResuming({
      range,
      signal,
      retrying: this.#retrying,
      translate: (error) => translate(asked, error),
      open: async (from, limited, version) => {
        const command = new GetObjectCommand({
          ...place,
          Range: `bytes=${from.start}-${from.end === undefined ? '' : from.end - 1}`,
          ...(version === undefined ? {} : { IfMatch: version }),
        });
        try {
          const { Body, ContentLength = 0, ETag = '' } = await this.#client.send(command, { abortSignal: limited });
          return { body: Body as AsyncIterable<Uint8Array>, bytes: ContentLength, version: ETag };
        } catch (error) {
          if (statusOf(error) === 416 && from.start === 0) return await this.#empty(asked, place, limited);
          const translated = translate(asked, error);
          if (version === undefined || !(translated instanceof StillpointError)) throw translated;
          if (translated.code !== 'object-exists' && translated.code !== 'object-not-found') throw translated;
          throw failure('object-changed', asked, `${key} was replaced or removed while it was read from ${this.name}`);
        }
      },
    });
  }

  /** Of an object without a byte no range can be had. */
  async #empty(asked: Asked, place: { Bucket: string; Key: string }, signal: AbortSignal) {
    const command = new GetObjectCommand(place);
    const {
      Body,
      ContentLength = 0,
      ETag = '',
    } = await this.#client.send(command, { abortSignal: signal }).catch((error: unknown) => {
      throw translate(asked, error);
    });
    return { body: Body as AsyncIterable<Uint8Array>, bytes: ContentLength, version: ETag };
  }

  async head(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    const place = this.#place(key);
    return await this.#retrying.run({ signal }, async (limited) => {
      try {
        const found = await this.#client.send(new HeadObjectCommand(place), { abortSignal: limited });
        const { ContentLength = 0, ETag = '', LastModified = new Date(0) } = found;
        return { key, bytes: ContentLength, version: ETag, modified: LastModified };
      } catch (error) {
        if (!isNotFound(error)) throw translate(this.#asked(`look for ${key} in`, true), error);
      }
      // The answer has no body: it may be the bucket that is not there.
      const command = new HeadBucketCommand({ Bucket: place.Bucket });
      await this.#client.send(command, { abortSignal: limited }).catch((error: unknown) => {
        if (isNotFound(error)) throw answered(this.#asked(`look for ${key} in`), { status: 404 });
      });
      return undefined;
    });
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<readonly ObjectInfo[], void> {
    const asked = this.#asked('list');
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: this.#settings.bucket,
        Prefix: fullPrefix(this.#prefix, prefix),
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page = await this.#send(asked, signal, (options) => this.#client.send(command, options));
      const found = (page.Contents ?? []).map(({ Key = '', Size = 0, ETag = '', LastModified = new Date(0) }) => ({
        key: ownKey(this.#prefix, Key),
        bytes: Size,
        version: ETag,
        modified: LastModified,
      }));
      if (found.length > 0) yield found;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(keys: readonly string[], { signal }: CallOptions): Promise<void> {
    const full = keys.map((key) => fullKey(this.#prefix, key));
    await deleteAll(this.#deleting, full, signal);
  }

  async hidden(keys: readonly string[], { signal }: CallOptions): Promise<readonly string[]> {
    const full = keys.map((key) => fullKey(this.#prefix, key));
    return (await versionedOf(this.#deleting, full, signal)).map((key) => ownKey(this.#prefix, key));
  }

  async versions({ signal }: CallOptions): Promise<KeptVersions> {
    return await keptVersions(this.#deleting, fullPrefix(this.#prefix, ''), signal);
  }

  async placeLock({ signal }: CallOptions): Promise<PlaceLock> {
    return await placeLock(this.#deleting, signal);
  }

  get #deleting(): S3Deleting {
    return {
      client: this.#client,
      bucket: this.#settings.bucket,
      retrying: this.#retrying,
      store: this.name,
      shown: (full: string) => ownKey(this.#prefix, full),
    };
  }

  async abandon(prefix: string, { signal }: CallOptions): Promise<number> {
    const asked = this.#asked('remove abandoned uploads from');
    const Bucket = this.#settings.bucket;
    const Prefix = fullPrefix(this.#prefix, prefix);
    let removed = 0;
    for (;;) {
      const list = new ListMultipartUploadsCommand({ Bucket, Prefix });
      const { Uploads = [], IsTruncated } = await this.#send(asked, signal, (options) =>
        this.#client.send(list, options),
      );
      for (const { Key, UploadId } of Uploads) {
        const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId });
        await this.#send(asked, signal, (options) => this.#client.send(abort, options));
        removed += 1;
      }
      if (IsTruncated !== true || Uploads.length === 0) return removed;
    }
  }

  async #send<T>(
    asked: Asked,
    signal: AbortSignal,
    send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    return await this.#retrying.run({ signal }, async (limited) => {
      return await send({ abortSignal: limited }).catch((error: unknown) => {
        throw translate(asked, error);
      });
    });
  }

  #place(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#settings.bucket, Key: fullKey(this.#prefix, key) };
  }

  #asked(what: string, ofObject = false): Asked {
    return { what, store: this.name, ofObject };
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
