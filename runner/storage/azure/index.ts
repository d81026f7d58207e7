/** Azure Blob Storage. */
import { randomUUID } from 'node:crypto';
import type { ContainerClient, ContainerListBlobFlatSegmentResponse } from '@azure/storage-blob';
import type { StoreConfig } from '../../../src/contract';
import { StillpointError } from '../../errors';
import { type Asked, failure } from '../failures';
import { fullKey, fullPrefix, ownKey } from '../keys';
import type { CallOptions, GetOptions, ObjectInfo, ObjectStore, PutOptions, StoredObject } from '../object-store';
import { type OpenedObject, openResuming } from '../resuming';
import { Retrying, type StoreContext } from '../retrying';
import { type AzureSettings, connect } from './client';
import { translate } from './failures';
import { upload } from './upload';

const PAGE = 1000;
const DELETE_AT_ONCE = 8;

/** Opens a container. Nothing is asked of it yet. */
export async function openAzure(
  config: StoreConfig,
  settings: AzureSettings,
  context: StoreContext,
): Promise<ObjectStore> {
  const client = await connect(settings, config.credentialsDirectory, context.environment);
  return new AzureStore(client, settings, config.prefix, new Retrying(context));
}

class AzureStore implements ObjectStore {
  readonly name: string;
  readonly #client: ContainerClient;
  readonly #settings: AzureSettings;
  readonly #prefix: string | undefined;
  readonly #retrying: Retrying;

  constructor(client: ContainerClient, settings: AzureSettings, prefix: string | undefined, retrying: Retrying) {
    this.name = `container ${settings.container} at ${new URL(client.url).host}`;
    this.#client = client;
    this.#settings = settings;
    this.#prefix = prefix;
    this.#retrying = retrying;
  }

  async put(key: string, content: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject> {
    const full = fullKey(this.#prefix, key);
    const target = {
      blob: this.#client.getBlockBlobClient(full),
      retrying: this.#retrying,
      settings: this.#settings,
      shown: key,
      store: this.name,
      id: randomUUID(),
    };
    return { key, location: `${this.#client.url}/${full}`, ...(await upload(target, content, options)) };
  }

  async get(key: string, { signal, range }: GetOptions): Promise<AsyncIterable<Uint8Array>> {
    const asked = this.#asked(`read ${key} from`);
    const blob = this.#client.getBlobClient(fullKey(this.#prefix, key));
    return await openResuming({
      range,
      signal,
      retrying: this.#retrying,
      translate: (error) => translate(asked, error),
      open: async (from, limited, version) => {
        const length = from.end === undefined ? undefined : from.end - from.start;
        try {
          const answer = await blob.download(from.start, length, {
            abortSignal: limited,
            // The SDK's own takes up what broke off by ways of its own; ours tells when it gives up.
            maxRetryRequests: 0,
            ...(version === undefined ? {} : { conditions: { ifMatch: version } }),
          });
          return opened(answer);
        } catch (error) {
          const translated = translate(asked, error);
          if (version === undefined || !(translated instanceof StillpointError)) throw translated;
          if (!['object-exists', 'object-not-found'].includes(translated.code)) throw translated;
          throw failure('object-changed', asked, `${key} was replaced or removed while it was read from ${this.name}`);
        }
      },
    });
  }

  async head(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    const blob = this.#client.getBlobClient(fullKey(this.#prefix, key));
    try {
      const found = await this.#send(this.#asked(`look for ${key} in`, true), signal, (options) =>
        blob.getProperties(options),
      );
      const { contentLength = 0, etag = '', lastModified = new Date(0) } = found;
      return { key, bytes: contentLength, version: etag, modified: lastModified };
    } catch (error) {
      if (error instanceof StillpointError && error.code === 'object-not-found') return undefined;
      throw error;
    }
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<readonly ObjectInfo[], void> {
    const asked = this.#asked('list');
    const wanted = fullPrefix(this.#prefix, prefix);
    let token: string | undefined;
    do {
      const page = await this.#send(asked, signal, async (options) => {
        const pages = this.#client
          .listBlobsFlat({ ...options, ...(wanted === '' ? {} : { prefix: wanted }) })
          .byPage({ maxPageSize: PAGE, ...(token === undefined ? {} : { continuationToken: token }) });
        return (await pages.next()).value as ContainerListBlobFlatSegmentResponse | undefined;
      });
      const found = page?.segment.blobItems ?? [];
      if (found.length > 0) {
        yield found.map(({ name, properties: { contentLength = 0, etag, lastModified } }) => ({
          key: ownKey(this.#prefix, name),
          bytes: contentLength,
          version: etag,
          modified: lastModified,
        }));
      }
      token = page?.continuationToken || undefined;
    } while (token !== undefined);
  }

  async delete(keys: readonly string[], { signal }: CallOptions): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_AT_ONCE) {
      await Promise.all(keys.slice(at, at + DELETE_AT_ONCE).map((key) => this.#delete(key, signal)));
    }
  }

  async #delete(key: string, signal: AbortSignal): Promise<void> {
    const blob = this.#client.getBlobClient(fullKey(this.#prefix, key));
    const asked = this.#asked(`delete ${key} from`);
    try {
      await this.#send(asked, signal, (options) => blob.delete({ ...options, deleteSnapshots: 'include' }));
    } catch (error) {
      if (!(error instanceof StillpointError) || error.code !== 'object-not-found') throw error;
    }
  }

  /** Blocks that no list names cannot be removed alone; they are gone after a week. */
  async abandon(_prefix: string, { signal }: CallOptions): Promise<number> {
    signal.throwIfAborted();
    return 0;
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

  #asked(what: string, ofObject = false): Asked {
    return { what, store: this.name, ofObject };
  }
}

function opened(answer: Awaited<ReturnType<ReturnType<ContainerClient['getBlobClient']>['download']>>): OpenedObject {
  const { readableStreamBody, contentLength = 0, etag = '' } = answer;
  return { body: readableStreamBody as unknown as AsyncIterable<Uint8Array>, bytes: contentLength, version: etag };
}
