/** What every object store has to do, whichever it is. Runs on real servers and on the emulators that their titles name. */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectInfo, ObjectStore, PutOptions } from '../../../runner/storage/object-store';
import { gathered } from '../../support/gathered';
import type { SpoiltAnswer, UnreliableProxy } from '../../support/unreliable-proxy';

const MiB = 1024 * 1024;
/** Of a request in these tests. */
export const PATIENCE_SECONDS = 6;
/** More are too much for a Swift that has all of itself in one container. */
const PUT_AT_ONCE = 5;

/** One kind of store, and the server behind it. */
export interface ObjectStoreFixture {
  /** With an empty prefix of its own. */
  readonly store: ObjectStore;
  /** The same, and waits as long as a server needs to come back. Undefined where there is none. */
  readonly patient?: ObjectStore | undefined;
  /** Uploads that have not ended of which the server has something, asked by other ways than the store's. */
  leftovers(): Promise<readonly string[]>;
  /** The same server, with other words. Undefined where there are none. */
  readonly wrongCredentials?: (() => Promise<ObjectStore>) | undefined;
  readonly missingBucket: () => Promise<ObjectStore>;
  /** A place that keeps versions of what is replaced or removed; undefined where there is none. */
  readonly versions?:
    | {
        readonly kept: ObjectStore;
        /** The same place, and what is put there is locked. */
        readonly locked: ObjectStore;
        /** Of all objects, with what hides them, asked by other ways than the store's. */
        count(): Promise<number>;
      }
    | undefined;
  /** What lies between the store and its server. Undefined where it is no server. */
  readonly proxy?: UnreliableProxy | undefined;
  /** Makes of what the server confirms something that does not fit what was sent. */
  readonly lie?: ((answer: SpoiltAnswer) => SpoiltAnswer) | undefined;
  /** Ends the server as a lost node would, and lets it come back with what it had on disk; undefined where there is none. */
  readonly kill?: (() => Promise<void>) | undefined;
  /** Whether a server that has died knows nothing of uploads that had begun: they fail, and leave nothing. */
  readonly losesUploads?: boolean;
  /**
   * How it fails when a part was changed on its way, where that is the end: it checks nothing but the whole, or the emulator
   * has a word of its own for it. Undefined where the part is sent again.
   */
  readonly whenChanged?: 'checksum-mismatch' | 'store-refused';
  /** Whether so many parts are admitted that those of a terabyte are hardly larger than others. */
  readonly manyParts?: boolean;
  /** Whether a thousand objects take minutes. */
  readonly slow?: boolean;
  remove(): Promise<void>;
}

/** Bytes that no compression and no repetition hides mistakes in, in chunks of uneven sizes. */
export async function* content(bytes: number, seed = 'a'): AsyncGenerator<Uint8Array, void> {
  for (let at = 0, block = 0; at < bytes; block++) {
    const chunk = blockOf(seed, block).subarray(0, bytes - at);
    at += chunk.length;
    yield chunk;
  }
}

function blockOf(seed: string, block: number): Buffer {
  const word = createHash('sha256').update(`${seed} ${block}`).digest();
  return Buffer.alloc(65_537 + (word[0] ?? 0) * 17, word);
}

async function sha256(of: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of of) hash.update(chunk);
  return hash.digest('hex');
}

async function bytesOf(of: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of of) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Waits for what happens in this process and in a server beside it, for a bounded number of turns. */
async function soon(happened: () => boolean): Promise<void> {
  for (let turns = 0; !happened(); turns++) {
    if (turns > 200_000) throw new Error(`it did not come to: ${happened}`);
    await turn();
  }
}

/** Waits until the server has two parts more than when this is called: what it is still taking comes back after it was removed. */
function arrival(proxy: UnreliableProxy | undefined): () => Promise<void> {
  const from = proxy?.seen.length;
  const parts = (): number => proxy?.seen.slice(from).filter((seen) => seen.startsWith('PUT')).length ?? 0;
  return async () => {
    if (proxy !== undefined) await soon(() => parts() >= 2 && proxy.underWay === 0);
  };
}

/** Registers the suite. */
export function objectStoreContract(name: string, make: () => Promise<ObjectStoreFixture>): void {
  describe(`object store contract: ${name}`, () => {
    let fixture: ObjectStoreFixture;
    let store: ObjectStore;
    const signal = AbortSignal.timeout(600_000);
    const put = (key: string, bytes: number, options: Partial<PutOptions> = {}): ReturnType<ObjectStore['put']> =>
      store.put(key, content(bytes, key), { signal, ...options });
    const listed = async (prefix: string): Promise<readonly (readonly ObjectInfo[])[]> =>
      await gathered(store.list(prefix, { signal }));
    const keys = async (prefix: string): Promise<readonly string[]> =>
      (await listed(prefix)).flat().map(({ key }) => key);

    beforeAll(async () => {
      fixture = await make();
      store = fixture.store;
    });
    afterAll(async () => {
      await fixture?.remove();
    });
    beforeEach(async ({ task }) => {
      if ((task.result?.retryCount ?? 0) === 0) return;
      fixture.proxy?.mend();
      await store.abandon('', { signal });
      await store.delete(await keys(''), { signal });
    });

    it.each([
      ['no byte', 0],
      ['a few bytes', 5],
      ['one part to the byte', 8 * MiB],
      ['one part and a byte', 8 * MiB + 1],
      ['many parts', 41 * MiB + 12_345],
    ])('keeps %s, confirms them, and gives them back', async (_, bytes) => {
      const key = `sizes/${bytes}.bin`;
      const stored = await put(key, bytes);
      expect(stored).toMatchObject({ key, bytes, checksum: { value: expect.stringMatching(/.{8}/) } });
      expect(stored.location).toContain(key);
      expect(await store.head(key, { signal })).toMatchObject({ key, bytes });
      expect(await sha256(await store.get(key, { signal }))).toBe(await sha256(content(bytes, key)));
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('sizes parts by what is expected', async () => {
      const stored = await put('expected.bin', 20 * MiB, { expectedBytes: 1_100_000 * MiB });
      expect(await store.head('expected.bin', { signal })).toMatchObject({ bytes: 20 * MiB });
      expect(stored.parts).toBeLessThanOrEqual(fixture.manyParts === true ? 3 : 2);
    });

    it('gives back a range', async () => {
      await put('range.bin', 300_000);
      const whole = await bytesOf(content(300_000, 'range.bin'));
      for (const range of [{ start: 0, end: 1 }, { start: 70_000, end: 270_001 }, { start: 299_999 }]) {
        const part = await bytesOf(await store.get('range.bin', { signal, range }));
        expect(part.equals(whole.subarray(range.start, range.end))).toBe(true);
      }
    });

    it.each([
      ['small', 10],
      ['large', 9 * MiB],
    ])('leaves a %s object alone whose key is taken, unless it is told to replace it', async (_, bytes) => {
      const key = `taken/${bytes}`;
      await put(key, 3);
      await expect(put(key, bytes)).rejects.toMatchObject({ code: 'object-exists' });
      expect(await store.head(key, { signal })).toMatchObject({ bytes: 3 });
      await put(key, bytes, { replace: true });
      expect(await store.head(key, { signal })).toMatchObject({ bytes });
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('tells what is not there', async () => {
      expect(await store.head('nothing', { signal })).toBeUndefined();
      await expect(store.get('nothing', { signal })).rejects.toMatchObject({ code: 'object-not-found' });
      expect(await keys('nothing')).toEqual([]);
      await store.delete(['nothing', 'nothing/else'], { signal });
    });

    it('says whether something may be put there, and has nothing of it', async ({ skip }) => {
      if (store.mayPut === undefined) return skip('cannot be asked without an object');
      await put('asked/alone.bin', 5);
      const before = await keys('');
      await store.mayPut({ signal });
      expect([await keys(''), await fixture.leftovers()]).toEqual([before, []]);
      const missing = await fixture.missingBucket();
      await expect(missing.mayPut?.({ signal })).rejects.toMatchObject({ code: 'bucket-not-found' });
      return undefined;
    });

    it('refuses keys that lead out of its prefix', async () => {
      for (const key of ['../out', 'a//b', '/a', 'a/', 'a/./b', '']) {
        await expect(put(key, 1)).rejects.toMatchObject({ code: 'store-refused' });
      }
    });

    it('has nothing of a content that fails, neither under its name nor elsewhere', async () => {
      const failing = async function* (): AsyncGenerator<Uint8Array, void> {
        yield* content(20 * MiB, 'fails');
        throw new Error('the tool has died');
      };
      await expect(store.put('half.bin', failing(), { signal })).rejects.toThrow('the tool has died');
      expect(await store.head('half.bin', { signal })).toBeUndefined();
      expect(await keys('half')).toEqual([]);
      expect(await fixture.leftovers()).toEqual([]);
    });

    it('has nothing of an upload that is aborted, and lets go of a content that is asleep', async () => {
      const stop = new AbortController();
      let ended = false;
      const asleep = async function* (): AsyncGenerator<Uint8Array, void> {
        try {
          yield* content(20 * MiB, 'sleeps');
          stop.abort(new Error('told to stop'));
          await new Promise(() => undefined);
        } finally {
          ended = true;
        }
      };
      await expect(store.put('aborted.bin', asleep(), { signal: stop.signal })).rejects.toThrow('told to stop');
      expect(await store.head('aborted.bin', { signal })).toBeUndefined();
      expect(await fixture.leftovers()).toEqual([]);
      expect(ended).toBe(false);
    });

    it('removes what an upload left that nobody ended', async () => {
      const stop = new AbortController();
      const waiting = Promise.withResolvers<void>();
      const asleep = async function* (): AsyncGenerator<Uint8Array, void> {
        yield* content(20 * MiB, 'left');
        waiting.resolve();
        await new Promise(() => undefined);
      };
      const arrived = arrival(fixture.proxy);
      const upload = store.put('left/behind.bin', asleep(), { signal: stop.signal });
      await Promise.race([waiting.promise, upload]);
      await arrived();
      await put('left/alone.bin', 5);
      const before = await fixture.leftovers();
      expect(await store.abandon('left/other', { signal })).toBe(0);
      expect(await store.abandon('left/behind', { signal })).toBe(before.length > 0 ? 1 : 0);
      expect(await fixture.leftovers()).toEqual([]);
      expect(await keys('left/')).toEqual(['left/alone.bin']);
      stop.abort(new Error('over'));
      await expect(upload).rejects.toThrow();
    });

    it('lists by prefix, in pages and in order, and removes as many', async ({ skip }) => {
      if (fixture.slow === true && process.env.CONTRACT !== 'all') return skip('takes minutes: npm run soak');
      const names = Array.from({ length: 1010 }, (_, index) => `pages/${String(index).padStart(4, '0')}`);
      for (let at = 0; at < names.length; at += PUT_AT_ONCE) {
        await Promise.all(names.slice(at, at + PUT_AT_ONCE).map((key) => put(key, 1)));
      }
      await put('pages-of-others', 1);
      const pages = await listed('pages/');
      expect(pages.length).toBeGreaterThan(1);
      expect(pages.flat().map(({ key }) => key)).toEqual(names);
      expect(await keys('pages/000')).toEqual(names.slice(0, 10));
      expect(await keys('page')).toEqual(['pages-of-others', ...names]);
      await store.delete(names, { signal });
      expect(await keys('page')).toEqual(['pages-of-others']);
      return undefined;
    });

    it('removes all versions of an object, and hides none; and what is locked stays, and says why', async ({
      skip,
    }) => {
      const { versions } = fixture;
      if (versions === undefined) return skip('keeps no versions');
      const { kept, locked, count } = versions;
      const keep = (key: string, seed: string, options: Partial<PutOptions> = {}): ReturnType<ObjectStore['put']> =>
        kept.put(key, content(5, seed), { signal, ...options });
      const first = await keep('kept/a', 'a');
      const second = await keep('kept/a', 'b', { replace: true });
      const parts = await kept.put('kept/parts', content(17 * MiB), { signal });
      for (const { version } of [first, second, parts]) expect(version).toMatch(/.{8}/);
      expect(second.version).not.toBe(first.version);
      await keep('kept/another', 'c');
      expect(await count()).toBe(4);
      await kept.delete(['kept/a', 'kept/parts'], { signal });
      expect(await count()).toBe(1);

      const closed = await locked.put('kept/locked', content(5), { signal });
      expect(Date.parse(closed.lockedUntil ?? '')).toBeGreaterThan(Date.parse('2020-01-01'));
      await expect(kept.delete(['kept/another', 'kept/locked'], { signal })).rejects.toMatchObject({
        code: 'object-locked',
      });
      expect(await count()).toBe(1);
      expect(await kept.head('kept/locked', { signal })).toMatchObject({ bytes: 5 });
      return undefined;
    });

    it('tells a bucket that is not there', async () => {
      const missing = await fixture.missingBucket();
      const code = { code: 'bucket-not-found' };
      await expect(missing.put('a', content(5), { signal })).rejects.toMatchObject(code);
      await expect(missing.put('a', content(17 * MiB), { signal })).rejects.toMatchObject(code);
      await expect(missing.get('a', { signal })).rejects.toMatchObject(code);
      await expect(missing.head('a', { signal })).rejects.toMatchObject(code);
      await expect(gathered(missing.list('', { signal }))).rejects.toMatchObject(code);
      await expect(missing.put('a', content(5), { signal })).rejects.toThrow(missing.name);
    });

    it('tells that it is not known to the server, by none of its words', async ({ skip }) => {
      const wrong = await fixture.wrongCredentials?.();
      if (wrong === undefined) return skip('has no credentials');
      const expected = { code: expect.stringMatching(/^store-(denied|credentials-refused)$/) };
      for (const asking of [
        () => wrong.put('a', content(5), { signal }),
        () => wrong.put('a', content(17 * MiB), { signal }),
        () => wrong.get('a', { signal }),
        () => wrong.head('a', { signal }),
        () => gathered(wrong.list('', { signal })),
        () => wrong.delete(['a'], { signal }),
      ]) {
        const error = await asking().then(
          () => undefined,
          (thrown: Error) => thrown,
        );
        expect(error).toMatchObject(expected);
        expect(`${error?.message} ${error?.stack}`).not.toMatch(/wrong-secret|authorization:|bearer|signature=/i);
      }
      return undefined;
    });

    describe('over a bad line', () => {
      afterEach(() => fixture.proxy?.mend());

      it('goes on when the server has answered 503 for a while', async ({ skip }) => {
        const { proxy } = fixture;
        if (proxy === undefined) return skip('has no server');
        proxy.answer(503, 4);
        const stored = await put('busy.bin', 20 * MiB);
        expect(stored.bytes).toBe(20 * MiB);
        proxy.answer(503, 2);
        expect(await sha256(await store.get('busy.bin', { signal }))).toBe(await sha256(content(20 * MiB, 'busy.bin')));
        proxy.answer(503, 1);
        expect(await keys('busy')).toEqual(['busy.bin']);
        return undefined;
      });

      it('gives up within its patience when the server answers nothing else', async ({ skip }) => {
        const { proxy } = fixture;
        if (proxy === undefined) return skip('has no server');
        proxy.answer(503);
        const began = performance.now();
        await expect(put('never.bin', 5)).rejects.toMatchObject({
          code: 'store-unreachable',
          message: expect.stringMatching(/503.*; it was tried \d+ times/),
        });
        expect((performance.now() - began) / 1000).toBeLessThan(PATIENCE_SECONDS + 2);
        proxy.mend();
        expect(await store.head('never.bin', { signal })).toBeUndefined();
        return undefined;
      });

      it('keeps nothing that was changed on its way, and sends it again', async ({ skip }) => {
        const { proxy } = fixture;
        if (proxy === undefined) return skip('has no server');
        for (const bytes of [3 * MiB, 20 * MiB]) {
          proxy.corrupt(2);
          const key = `changed-on-the-way/${bytes}`;
          if (fixture.whenChanged !== undefined) {
            await expect(put(key, bytes)).rejects.toMatchObject({ code: fixture.whenChanged });
            expect(await store.head(key, { signal })).toBeUndefined();
            continue;
          }
          expect(await put(key, bytes)).toMatchObject({ bytes });
          expect(proxy.corrupted).toBe(2);
          expect(await sha256(await store.get(key, { signal }))).toBe(await sha256(content(bytes, key)));
        }
        proxy.corrupt(Number.POSITIVE_INFINITY);
        const code = fixture.whenChanged ?? 'checksum-mismatch';
        await expect(put('changed-on-the-way/always', 20 * MiB)).rejects.toMatchObject({ code });
        proxy.mend();
        expect(await keys('changed-on-the-way/always')).toEqual([]);
        expect(await fixture.leftovers()).toEqual([]);
        return undefined;
      });

      it('believes no server that confirms something else', async ({ skip }) => {
        const { proxy, lie } = fixture;
        if (proxy === undefined || lie === undefined) return skip('has no server');
        proxy.alterAnswer = lie;
        for (const bytes of [5, 20 * MiB]) {
          await expect(put(`lied/${bytes}`, bytes)).rejects.toMatchObject({ code: 'checksum-mismatch' });
        }
        proxy.mend();
        expect(await keys('lied/')).toEqual([]);
        expect(await fixture.leftovers()).toEqual([]);
        return undefined;
      });

      it('takes up an answer that broke off where it broke off', async ({ skip }) => {
        const { proxy } = fixture;
        if (proxy === undefined) return skip('has no server');
        await put('broken.bin', 5 * MiB);
        proxy.cutAnswersAfter = 2 * MiB;
        const from = proxy.seen.length;
        expect(await sha256(await store.get('broken.bin', { signal }))).toBe(
          await sha256(content(5 * MiB, 'broken.bin')),
        );
        expect(proxy.seen.length - from).toBeGreaterThanOrEqual(3);
        return undefined;
      });

      it('does not go on in an object that has been replaced meanwhile', async ({ skip }) => {
        const { proxy } = fixture;
        if (proxy === undefined) return skip('has no server');
        await put('changed.bin', 5 * MiB);
        proxy.cutAnswersAfter = MiB;
        const reading = await store.get('changed.bin', { signal });
        await store.put('changed.bin', content(5 * MiB, 'another'), { signal, replace: true });
        await expect(sha256(reading)).rejects.toMatchObject({ code: 'object-changed' });
        return undefined;
      });

      it('leaves nothing of parts that arrive when the upload has been given up', async ({ skip }) => {
        const { proxy } = fixture;
        if (proxy === undefined) return skip('has no server');
        const { promise: sent, resolve: isSent } = Promise.withResolvers<void>();
        const asleep = async function* (): AsyncGenerator<Uint8Array, void> {
          yield* content(20 * MiB, 'asleep');
          isSent();
          await new Promise(() => undefined);
        };
        const begin = (of: AsyncIterable<Uint8Array>): { readonly ended: Promise<unknown>; stop(): void } => {
          const stopping = new AbortController();
          const ended = store.put('late.bin', of, { signal: AbortSignal.any([signal, stopping.signal]) });
          ended.catch(() => undefined);
          return { ended, stop: () => stopping.abort(new Error('told to stop')) };
        };
        // Another upload to the same name, which is none of the first one's business.
        const arrived = arrival(proxy);
        const other = begin(asleep());
        await Promise.race([sent, other.ended]);
        await arrived();
        const others = await fixture.leftovers();

        proxy.keepTails();
        const late = begin(content(20 * MiB, 'late'));
        await soon(() => proxy.kept > 0 && proxy.keptAll);
        late.stop();
        await expect(late.ended).rejects.toThrow('told to stop');
        proxy.mend();
        await soon(() => proxy.underWay === 0);
        expect(await fixture.leftovers()).toEqual(others);
        other.stop();
        await expect(other.ended).rejects.toThrow('told to stop');
        expect(await fixture.leftovers()).toEqual([]);
        expect(await keys('late')).toEqual([]);
        return undefined;
      });

      it('holds the content back while the server takes nothing', async ({ skip }) => {
        const { proxy } = fixture;
        if (proxy === undefined) return skip('has no server');
        let pulled = 0;
        const counted = async function* (): AsyncGenerator<Uint8Array, void> {
          for await (const chunk of content(200 * MiB, 'slow')) {
            pulled += chunk.length;
            yield chunk;
          }
        };
        const stop = new AbortController();
        const waiting: (() => void)[] = [];
        proxy.spoil = (asked) => {
          if (asked.method !== 'PUT') return undefined;
          waiting.push(() => asked.destroy());
          return 'spoilt';
        };
        const upload = store.put('slow.bin', counted(), { signal: AbortSignal.any([signal, stop.signal]) });
        upload.catch(() => undefined);
        // It has pulled all it will when many turns of the event loop brought no more.
        for (let same = 0, last = -1; same < 20_000; same = pulled === last ? same + 1 : 0, last = pulled) await turn();
        expect(pulled).toBeGreaterThan(8 * MiB);
        expect(pulled).toBeLessThan(42 * MiB);
        stop.abort(new Error('seen enough'));
        for (const end of waiting) end();
        proxy.mend();
        await expect(upload).rejects.toThrow('seen enough');
        expect(await fixture.leftovers()).toEqual([]);
        return undefined;
      });
    });

    it('goes on with an upload when the server died in the middle and came back', async ({ skip }) => {
      const { kill, patient } = fixture;
      if (kill === undefined || patient === undefined) return skip('has no server');
      let killed: Promise<void> | undefined;
      const interrupted = async function* (): AsyncGenerator<Uint8Array, void> {
        let passed = 0;
        for await (const chunk of content(60 * MiB, 'died')) {
          passed += chunk.length;
          if (passed > 25 * MiB) killed ??= kill();
          yield chunk;
        }
      };
      const upload = patient.put('died.bin', interrupted(), { signal });
      if (fixture.losesUploads === true) {
        await expect(upload).rejects.toMatchObject({ code: expect.stringMatching(/^store-(refused|unreachable)$/) });
        await killed;
        expect(await store.head('died.bin', { signal })).toBeUndefined();
        return undefined;
      }
      const stored = await upload;
      await killed;
      expect(stored.bytes).toBe(60 * MiB);
      expect(await sha256(await store.get('died.bin', { signal }))).toBe(await sha256(content(60 * MiB, 'died')));
      expect(await fixture.leftovers()).toEqual([]);
      return undefined;
    });
  });
}
