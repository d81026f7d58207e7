/** OpenStack Swift. */
import { randomUUID } from 'node:crypto';
import type { StoreConfig } from '../../../src/contract';
import { timeLimit } from '../../abort';
import { StillpointError } from '../../errors';
import { type Asked, answered, failure } from '../failures';
import { lengthOf, translateBroken } from '../http';
import { fullKey, fullPrefix, ownKey } from '../keys';
import type { CallOptions, GetOptions, ObjectInfo, ObjectStore, PutOptions, StoredObject } from '../object-store';
import { type OpenedObject, openResuming } from '../resuming';
import { Retrying, type StoreContext } from '../retrying';
import { removeAll } from './removal';
import { SwiftAccount } from './session';
import { SEGMENTS, SwiftUpload } from './upload';

const PAGE = '1000';
const DELETE_AT_ONCE = 8;

/** An object as a listing has it. */
interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly hash: string;
  readonly slo_etag?: string;
  readonly last_modified: string;
}

/** Opens a container. Nothing is asked of it yet but to log in: only then it is known whose it is. */
export async function openSwift(
  config: StoreConfig,
  settings: NonNullable<StoreConfig['swift']>,
  context: StoreContext,
): Promise<ObjectStore> {
  const { credentialsDirectory, prefix } = config;
  if (credentialsDirectory === undefined) {
    throw new StillpointError('config-invalid', 'the storage is of the kind swift, and names no credentials', {
      hint: 'give the Secret with OS_AUTH_URL and the others',
    });
  }
  const retrying = new Retrying(context);
  const account = new SwiftAccount(retrying, credentialsDirectory, settings.region);
  return new SwiftStore(account, retrying, {
    container: settings.container,
    prefix,
    owner: await ownerOf(account, context),
  });
}

/** So long a login is waited for that only gives the account its name. */
const LOGIN_MS = 10_000;

/** A login that fails fails again, with its error, when something is asked for. */
async function ownerOf(account: SwiftAccount, { clock }: StoreContext): Promise<string | undefined> {
  using limit = timeLimit(clock, LOGIN_MS, () => new StillpointError('store-unreachable', 'the login took too long'));
  return await account.name(limit.signal).catch(() => undefined);
}

class SwiftStore implements ObjectStore {
  readonly name: string;
  readonly #account: SwiftAccount;
  readonly #retrying: Retrying;
  readonly #container: string;
  readonly #prefix: string | undefined;

  constructor(
    account: SwiftAccount,
    retrying: Retrying,
    {
      container,
      prefix,
      owner,
    }: { readonly container: string; readonly prefix: string | undefined; readonly owner: string | undefined },
  ) {
    // Two accounts may have containers of one name.
    this.name = `container ${container} of Swift${owner === undefined ? '' : `, ${owner}`}`;
    this.#account = account;
    this.#retrying = retrying;
    this.#container = container;
    this.#prefix = prefix;
  }

  async put(key: string, content: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject> {
    const full = fullKey(this.#prefix, key);
    // The segments of what is replaced: nobody would find them later.
    const before = options.replace === true ? await this.#uploadsOf(full, options.signal) : [];
    const upload = new SwiftUpload(
      {
        account: this.#account,
        retrying: this.#retrying,
        container: this.#container,
        key: full,
        shown: key,
        store: this.name,
        id: randomUUID(),
      },
      options,
    );
    const uploaded = await upload.run(content);
    await this.#removeUploads(this.#asked(`remove what ${key} had before from`), before, options.signal);
    return { key, location: `swift://${this.#container}/${full}`, ...uploaded };
  }

  async get(key: string, { signal, range }: GetOptions): Promise<AsyncIterable<Uint8Array>> {
    const asked = this.#asked(`read ${key} from`, true);
    const path = this.#path(key);
    const open = async (headers: Readonly<Record<string, string>>, limited: AbortSignal): Promise<OpenedObject> => {
      const answer = await this.#account.open(asked, { method: 'GET', path, headers }, limited);
      return { body: answer.body, bytes: lengthOf(answer), version: answer.headers.etag ?? '' };
    };
    return await openResuming({
      range,
      signal,
      retrying: this.#retrying,
      translate: (error) => translateBroken(asked, error),
      open: async (from, limited, version) => {
        try {
          return await open(
            {
              range: `bytes=${from.start}-${from.end === undefined ? '' : from.end - 1}`,
              ...(version === undefined ? {} : { 'if-match': version }),
            },
            limited,
          );
        } catch (error) {
          if (!(error instanceof StillpointError)) throw error;
          // Of an object without a byte no range can be had.
          if (/answered 416/.test(error.message) && from.start === 0) return await open({}, limited);
          if (error.code === 'object-not-found' && version === undefined) await this.#needContainer(asked, limited);
          if (version === undefined || !['object-exists', 'object-not-found'].includes(error.code)) throw error;
          throw failure('object-changed', asked, `${key} was replaced or removed while it was read from ${this.name}`);
        }
      },
    });
  }

  async head(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    const asked = this.#asked(`look for ${key} in`, true);
    const found = await this.#account.ask(asked, { method: 'HEAD', path: this.#path(key) }, signal, [404]);
    if (found.status === 404) {
      await this.#needContainer(asked, signal);
      return undefined;
    }
    const { etag = '', 'last-modified': modified } = found.headers;
    return { key, bytes: lengthOf(found), version: unquoted(etag), modified: new Date(modified ?? 0) };
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<readonly ObjectInfo[], void> {
    for await (const page of this.#listed(this.#asked('list'), fullPrefix(this.#prefix, prefix), signal)) {
      const own = page.filter(({ name }) => !name.startsWith(`${SEGMENTS}/`));
      if (own.length === 0) continue;
      yield own.map(({ name, bytes, hash, slo_etag, last_modified }) => ({
        key: ownKey(this.#prefix, name),
        bytes,
        version: unquoted(slo_etag ?? hash),
        modified: new Date(`${last_modified}Z`),
      }));
    }
  }

  async delete(keys: readonly string[], { signal }: CallOptions): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_AT_ONCE) {
      await Promise.all(keys.slice(at, at + DELETE_AT_ONCE).map((key) => this.#delete(key, signal)));
    }
  }

  async #delete(key: string, signal: AbortSignal): Promise<void> {
    const asked = this.#asked(`delete ${key} from`);
    const full = fullKey(this.#prefix, key);
    const uploads = await this.#uploadsOf(full, signal);
    // The name goes first: what it has no name for any more is nobody's, and half an object would be somebody's.
    await removeAll(this.#account, asked, this.#container, [full], signal);
    await this.#removeUploads(asked, uploads, signal);
  }

  async abandon(prefix: string, { signal }: CallOptions): Promise<number> {
    const asked = this.#asked('remove abandoned uploads from');
    const uploads = new Map<string, string>();
    for await (const page of this.#listed(asked, `${SEGMENTS}/${fullPrefix(this.#prefix, prefix)}`, signal)) {
      for (const { name } of page) {
        const [, folder, key] = /^([^/]+\/(.+)\/[^/]+\/)[^/]+$/.exec(name) ?? [];
        if (folder !== undefined && key !== undefined) uploads.set(folder, key);
      }
    }
    const used = new Set<string>();
    for (const key of new Set(uploads.values())) {
      for (const folder of await this.#uploadsOf(key, signal)) used.add(folder);
    }
    const left = [...uploads.keys()].filter((folder) => !used.has(folder));
    await this.#removeUploads(asked, left, signal);
    return left.length;
  }

  /** The folders of the segments that an object is made of; none where it is a small one, or not there. */
  async #uploadsOf(full: string, signal: AbortSignal): Promise<readonly string[]> {
    const asked = this.#asked(`look for ${ownKey(this.#prefix, full)} in`, true);
    const path = [this.#container, full];
    const found = await this.#account.ask(asked, { method: 'HEAD', path }, signal, [404]);
    if (found.headers['x-static-large-object'] === undefined) return [];
    const query = { 'multipart-manifest': 'get' };
    const manifest = await this.#account.ask(asked, { method: 'GET', path, query }, signal, [404]);
    if (manifest.status === 404) return [];
    const segments = JSON.parse(manifest.text) as readonly { readonly name: string }[];
    const folders = segments.map(({ name }) => name.slice(this.#container.length + 2).replace(/[^/]+$/, ''));
    // Only what we have made as segments.
    return [...new Set(folders)].filter((folder) => folder.startsWith(`${SEGMENTS}/`));
  }

  async #removeUploads(asked: Asked, folders: readonly string[], signal: AbortSignal): Promise<void> {
    for (const folder of folders) {
      const names: string[] = [];
      for await (const page of this.#listed(asked, folder, signal)) names.push(...page.map(({ name }) => name));
      await removeAll(this.#account, asked, this.#container, names, signal);
    }
  }

  async *#listed(asked: Asked, prefix: string, signal: AbortSignal): AsyncGenerator<readonly Listed[], void> {
    let marker = '';
    for (;;) {
      const query = { format: 'json', limit: PAGE, prefix, marker };
      const found = await this.#account.ask(asked, { method: 'GET', path: [this.#container], query }, signal);
      const page = JSON.parse(found.text) as readonly Listed[];
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      marker = last.name;
    }
  }

  /** A 404 does not say whether it is the object or the container that is not there. */
  async #needContainer(asked: Asked, signal: AbortSignal): Promise<void> {
    const found = await this.#account.ask(asked, { method: 'HEAD', path: [this.#container] }, signal, [404]);
    if (found.status === 404) throw answered({ ...asked, ofObject: false }, { status: 404 });
  }

  #path(key: string): readonly string[] {
    return [this.#container, fullKey(this.#prefix, key)];
  }

  #asked(what: string, ofObject = false): Asked {
    return { what, store: this.name, ofObject };
  }
}

function unquoted(etag: string): string {
  return etag.replaceAll('"', '');
}
