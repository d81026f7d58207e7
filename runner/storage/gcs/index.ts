/** Google Cloud Storage. */
import type { StoreConfig } from '../../../src/contract';
import { StillpointError } from '../../errors';
import { type Asked, answered, failure } from '../failures';
import { lengthOf, translateBroken } from '../http';
import { fullKey, fullPrefix, ownKey } from '../keys';
import type { CallOptions, GetOptions, ObjectInfo, ObjectStore, PutOptions, StoredObject } from '../object-store';
import { type OpenedObject, openResuming } from '../resuming';
import { Retrying, type StoreContext } from '../retrying';
import { GoogleLogin } from './login';
import { GcsRequests, type GcsSettings, type Resource } from './requests';
import { GcsUpload } from './upload';

const PAGE = '1000';
const DELETE_AT_ONCE = 8;

/** Opens a bucket. Nothing is asked of it yet. */
export function openGcs(config: StoreConfig, settings: GcsSettings, context: StoreContext): ObjectStore {
  const retrying = new Retrying(context);
  const requests = new GcsRequests(retrying, new GoogleLogin(config.credentialsDirectory), settings);
  return new GcsStore(requests, retrying, settings, config.prefix);
}

class GcsStore implements ObjectStore {
  readonly name: string;
  readonly #requests: GcsRequests;
  readonly #retrying: Retrying;
  readonly #settings: GcsSettings;
  readonly #prefix: string | undefined;

  constructor(requests: GcsRequests, retrying: Retrying, settings: GcsSettings, prefix: string | undefined) {
    this.name = `bucket ${settings.bucket} of Google Cloud Storage`;
    this.#requests = requests;
    this.#retrying = retrying;
    this.#settings = settings;
    this.#prefix = prefix;
  }

  async put(key: string, content: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject> {
    const full = fullKey(this.#prefix, key);
    const upload = new GcsUpload(
      {
        requests: this.#requests,
        retrying: this.#retrying,
        settings: this.#settings,
        key: full,
        shown: key,
        store: this.name,
      },
      options,
    );
    return { key, location: `gs://${this.#settings.bucket}/${full}`, ...(await upload.run(content)) };
  }

  async get(key: string, { signal, range }: GetOptions): Promise<AsyncIterable<Uint8Array>> {
    const asked = this.#asked(`read ${key} from`, true);
    const full = fullKey(this.#prefix, key);
    // The generation, before the content: what breaks off is then taken up in the same one.
    const { version: generation } = await this.#need(asked, key, signal);
    return await openResuming({
      range,
      signal,
      retrying: this.#retrying,
      translate: (error) => translateBroken(asked, error),
      open: async (from, limited, version) => {
        const url = this.#requests.url(full, { alt: 'media', ifGenerationMatch: version ?? generation });
        const headers = { range: `bytes=${from.start}-${from.end === undefined ? '' : from.end - 1}` };
        const whole = { method: 'GET', url } as const;
        const changed = (): StillpointError =>
          failure('object-changed', asked, `${key} was replaced or removed while it was read from ${this.name}`);
        try {
          const answer = await this.#requests.open(asked, { ...whole, headers }, limited);
          if ((answer.headers['x-goog-generation'] ?? generation) === generation) return opened(answer, generation);
          answer.body.destroy();
          throw changed();
        } catch (error) {
          if (!(error instanceof StillpointError)) throw error;
          // Of an object without a byte no range can be had.
          if (/answered 416/.test(error.message) && from.start === 0) {
            return opened(await this.#requests.open(asked, whole, limited), generation);
          }
          if (error.code !== 'object-exists' && error.code !== 'object-not-found') throw error;
          throw changed();
        }
      },
    });
  }

  async #need(asked: Asked, key: string, signal: AbortSignal): Promise<ObjectInfo> {
    const found = await this.head(key, { signal });
    if (found === undefined) throw answered(asked, { status: 404 });
    return found;
  }

  async head(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    const asked = this.#asked(`look for ${key} in`, true);
    const url = this.#requests.url(fullKey(this.#prefix, key), { fields: FIELDS });
    const found = await this.#requests.ask(asked, { method: 'GET', url }, signal, [404]);
    if (found.status !== 404) return this.#info(JSON.parse(found.text) as Resource);
    // It may be the bucket that is not there.
    const listing = this.#requests.url(undefined, { maxResults: '1', fields: 'items(name)' });
    await this.#requests.ask(this.#asked(`look for ${key} in`), { method: 'GET', url: listing }, signal);
    return undefined;
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<readonly ObjectInfo[], void> {
    const asked = this.#asked('list');
    let pageToken: string | undefined;
    do {
      const url = this.#requests.url(undefined, {
        prefix: fullPrefix(this.#prefix, prefix),
        maxResults: PAGE,
        pageToken,
        fields: `items(${FIELDS}),nextPageToken`,
      });
      const found = await this.#requests.ask(asked, { method: 'GET', url }, signal);
      const page = JSON.parse(found.text) as { items?: readonly Resource[]; nextPageToken?: string };
      if (page.items !== undefined && page.items.length > 0) yield page.items.map((item) => this.#info(item));
      pageToken = page.nextPageToken || undefined;
    } while (pageToken !== undefined);
  }

  async delete(keys: readonly string[], { signal }: CallOptions): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_AT_ONCE) {
      await Promise.all(
        keys.slice(at, at + DELETE_AT_ONCE).map(async (key) => {
          const url = this.#requests.url(fullKey(this.#prefix, key));
          await this.#requests.ask(this.#asked(`delete ${key} from`), { method: 'DELETE', url }, signal, [404]);
        }),
      );
    }
  }

  /** Sessions cannot be listed; one that is left alone costs nothing, and is gone after a week. */
  async abandon(_prefix: string, { signal }: CallOptions): Promise<number> {
    signal.throwIfAborted();
    return 0;
  }

  #info({ name, size, generation, updated }: Resource): ObjectInfo {
    return { key: ownKey(this.#prefix, name), bytes: Number(size), version: generation, modified: new Date(updated) };
  }

  #asked(what: string, ofObject = false): Asked {
    return { what, store: this.name, ofObject };
  }
}

const FIELDS = 'name,size,generation,updated,md5Hash';

function opened(answer: Awaited<ReturnType<GcsRequests['open']>>, version: string): OpenedObject {
  return { body: answer.body, bytes: lengthOf(answer), version };
}
