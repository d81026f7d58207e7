import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectInfo, ObjectStore, PutOptions } from '../../../runner/storage/object-store';
import { gathered } from '../../support/gathered';
import { SOAK } from '../../support/soak';
import { overABadLine } from './object-store-bad-line';
import {
  arrival,
  bytesOf,
  type ContractAtWork,
  content,
  MiB,
  type ObjectStoreFixture,
  sha256,
} from './object-store-fixture';

/** More are too much for a Swift that has all of itself in one container. */
const PUT_AT_ONCE = 5;

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

    const contract: ContractAtWork = {
      get fixture() {
        return fixture;
      },
      get store() {
        return store;
      },
      ...{ signal, put, keys },
    };

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
      if (fixture.slow === true && !SOAK) return skip('takes minutes: npm run soak');
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

    overABadLine(contract);

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
