/**
 * How objects are to be kept — encrypted, locked, in a class, in a tier — reaches the store with every object, however it is
 * uploaded. What the server knows it is asked for; what it does not know is seen in the requests on their way to it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore, PutOptions, StoredObject } from '../../../runner/storage/object-store';
import type { SeenRequest, UnreliableProxy } from '../../support/unreliable-proxy';
import { content } from './object-store-fixture';

const MiB = 1024 * 1024;

/** One thing that a store config can say of how objects are kept. */
export interface StoreOption<S> {
  /** What it is, and how it is seen: by the server's name where that does not know it. */
  readonly title: string;
  readonly settings: S;
  /** What each request that begins an object carries, by lower-case header or by query; null: nothing of the kind. */
  readonly carried?: Readonly<Record<string, string | null>> | undefined;
  /** What the server answers when it is asked for the object. */
  readonly kept?: ((stored: StoredObject) => Readonly<Record<string, unknown>>) | undefined;
}

/** A store that can be opened with more settings, and the server behind it. */
export interface StoreOptionsFixture<S> {
  open(settings: S): Promise<ObjectStore>;
  readonly proxy: UnreliableProxy;
  /** Whether a request begins an object: what follows in parts says nothing more. */
  begins(request: SeenRequest): boolean;
  /** What the server says of an object, asked by other ways than the store's. */
  ask(key: string, settings: S): Promise<Readonly<Record<string, unknown>>>;
  remove(): Promise<void>;
}

/** The ways in which objects come into being. The last one is that of copies of records, and of whatever else is written anew. */
const UPLOADS: readonly {
  readonly how: string;
  readonly run: (store: ObjectStore, key: string, options: PutOptions) => Promise<StoredObject>;
}[] = [
  { how: 'in one request', run: (store, key, options) => store.put(key, content(5), options) },
  { how: 'in parts', run: (store, key, options) => store.put(key, content(17 * MiB), options) },
  {
    how: 'in place of another',
    run: async (store, key, options) => {
      await store.put(key, content(3), { ...options, replace: true });
      return await store.put(key, content(4), { ...options, replace: true });
    },
  },
];

/** Registers the suite. */
export function storeOptionsContract<S>(
  name: string,
  make: () => Promise<StoreOptionsFixture<S>>,
  options: readonly StoreOption<S>[],
): void {
  describe(`options of stores: ${name}`, () => {
    let fixture: StoreOptionsFixture<S>;
    const signal = AbortSignal.timeout(600_000);

    beforeAll(async () => {
      fixture = await make();
    });
    afterAll(async () => {
      await fixture?.remove();
    });

    describe.each(options.map((option, index) => ({ ...option, index })))('$title', (option) => {
      it.each(UPLOADS)('is said of what is uploaded $how', async ({ how, run }) => {
        const { proxy } = fixture;
        const key = `options/${option.index}/${how.replaceAll(' ', '-')}`;
        const requests: SeenRequest[] = [];
        proxy.hears = (request) => void requests.push(request);
        const stored = await run(await fixture.open(option.settings), key, { signal });
        proxy.mend();
        const begun = requests.filter((request) => fixture.begins(request));
        expect(begun).toHaveLength(how === 'in place of another' ? 2 : 1);
        const { carried, kept } = option;
        if (carried === undefined && kept === undefined) throw new Error('nothing is looked at');
        for (const request of begun) expect(saidBy(request, Object.keys(carried ?? {}))).toEqual({ ...carried });
        if (kept !== undefined) expect(await fixture.ask(key, option.settings)).toMatchObject(kept(stored));
      });
    });
  });
}

/** What a request says of some names, in its headers or in its query. */
function saidBy({ url, headers }: SeenRequest, names: readonly string[]): Record<string, unknown> {
  const query = new URL(url, 'http://localhost').searchParams;
  return Object.fromEntries(names.map((name) => [name, headers[name] ?? query.get(name)]));
}
