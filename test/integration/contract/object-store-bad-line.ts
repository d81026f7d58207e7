/** What every object store has to do over a line, and with a server, as bad as real ones are. */
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { arrival, type ContractAtWork, content, MiB, PATIENCE_SECONDS, sha256, soon } from './object-store-fixture';

/** Registers its part of the suite. */
export function overABadLine(contract: ContractAtWork): void {
  const { signal } = contract;
  describe('over a bad line', () => {
    afterEach(() => contract.fixture.proxy?.mend());

    it('goes on when the server has answered 503 for a while', async ({ skip }) => {
      const { proxy } = contract.fixture;
      if (proxy === undefined) return skip('has no server');
      proxy.answer(503, 4);
      const stored = await contract.put('busy.bin', 20 * MiB);
      expect(stored.bytes).toBe(20 * MiB);
      proxy.answer(503, 2);
      expect(await sha256(await contract.store.get('busy.bin', { signal }))).toBe(
        await sha256(content(20 * MiB, 'busy.bin')),
      );
      proxy.answer(503, 1);
      expect(await contract.keys('busy')).toEqual(['busy.bin']);
      return undefined;
    });

    it('gives up within its patience when the server answers nothing else', async ({ skip }) => {
      const { proxy } = contract.fixture;
      if (proxy === undefined) return skip('has no server');
      proxy.answer(503);
      const began = performance.now();
      await expect(contract.put('never.bin', 5)).rejects.toMatchObject({
        code: 'store-unreachable',
        message: expect.stringMatching(/503.*; it was tried \d+ times/),
      });
      expect((performance.now() - began) / 1000).toBeLessThan(PATIENCE_SECONDS + 2);
      proxy.mend();
      expect(await contract.store.head('never.bin', { signal })).toBeUndefined();
      return undefined;
    });

    it('keeps nothing that was changed on its way, and sends it again', async ({ skip }) => {
      const { proxy } = contract.fixture;
      if (proxy === undefined) return skip('has no server');
      for (const bytes of [3 * MiB, 20 * MiB]) {
        proxy.corrupt(2);
        const key = `changed-on-the-way/${bytes}`;
        if (contract.fixture.whenChanged !== undefined) {
          await expect(contract.put(key, bytes)).rejects.toMatchObject({ code: contract.fixture.whenChanged });
          expect(await contract.store.head(key, { signal })).toBeUndefined();
          continue;
        }
        expect(await contract.put(key, bytes)).toMatchObject({ bytes });
        expect(proxy.corrupted).toBe(2);
        expect(await sha256(await contract.store.get(key, { signal }))).toBe(await sha256(content(bytes, key)));
      }
      proxy.corrupt(Number.POSITIVE_INFINITY);
      const code = contract.fixture.whenChanged ?? 'checksum-mismatch';
      await expect(contract.put('changed-on-the-way/always', 20 * MiB)).rejects.toMatchObject({ code });
      proxy.mend();
      expect(await contract.keys('changed-on-the-way/always')).toEqual([]);
      expect(await contract.fixture.leftovers()).toEqual([]);
      return undefined;
    });

    it('believes no server that confirms something else', async ({ skip }) => {
      const { proxy, lie } = contract.fixture;
      if (proxy === undefined || lie === undefined) return skip('has no server');
      proxy.alterAnswer = lie;
      for (const bytes of [5, 20 * MiB]) {
        await expect(contract.put(`lied/${bytes}`, bytes)).rejects.toMatchObject({ code: 'checksum-mismatch' });
      }
      proxy.mend();
      expect(await contract.keys('lied/')).toEqual([]);
      expect(await contract.fixture.leftovers()).toEqual([]);
      return undefined;
    });

    it('takes up an answer that broke off where it broke off', async ({ skip }) => {
      const { proxy } = contract.fixture;
      if (proxy === undefined) return skip('has no server');
      await contract.put('broken.bin', 5 * MiB);
      proxy.cutAnswersAfter = 2 * MiB;
      const from = proxy.seen.length;
      expect(await sha256(await contract.store.get('broken.bin', { signal }))).toBe(
        await sha256(content(5 * MiB, 'broken.bin')),
      );
      expect(proxy.seen.length - from).toBeGreaterThanOrEqual(3);
      return undefined;
    });

    it('does not go on in an object that has been replaced meanwhile', async ({ skip }) => {
      const { proxy } = contract.fixture;
      if (proxy === undefined) return skip('has no server');
      await contract.put('changed.bin', 5 * MiB);
      proxy.cutAnswersAfter = MiB;
      const reading = await contract.store.get('changed.bin', { signal });
      await contract.store.put('changed.bin', content(5 * MiB, 'another'), { signal, replace: true });
      await expect(sha256(reading)).rejects.toMatchObject({ code: 'object-changed' });
      return undefined;
    });

    it('leaves nothing of parts that arrive when the upload has been given up', async ({ skip }) => {
      const { proxy } = contract.fixture;
      if (proxy === undefined) return skip('has no server');
      const { promise: sent, resolve: isSent } = Promise.withResolvers<void>();
      const asleep = async function* (): AsyncGenerator<Uint8Array, void> {
        yield* content(20 * MiB, 'asleep');
        isSent();
        await new Promise(() => undefined);
      };
      const begin = (of: AsyncIterable<Uint8Array>): { readonly ended: Promise<unknown>; stop(): void } => {
        const stopping = new AbortController();
        const ended = contract.store.put('late.bin', of, { signal: AbortSignal.any([signal, stopping.signal]) });
        ended.catch(() => undefined);
        return { ended, stop: () => stopping.abort(new Error('told to stop')) };
      };
      // Another upload to the same name, which is none of the first one's business.
      const arrived = arrival(proxy);
      const other = begin(asleep());
      await Promise.race([sent, other.ended]);
      await arrived();
      const others = await contract.fixture.leftovers();

      proxy.keepTails();
      const late = begin(content(20 * MiB, 'late'));
      await soon(() => proxy.kept > 0 && proxy.keptAll);
      late.stop();
      await expect(late.ended).rejects.toThrow('told to stop');
      proxy.mend();
      await soon(() => proxy.underWay === 0);
      expect(await contract.fixture.leftovers()).toEqual(others);
      other.stop();
      await expect(other.ended).rejects.toThrow('told to stop');
      expect(await contract.fixture.leftovers()).toEqual([]);
      expect(await contract.keys('late')).toEqual([]);
      return undefined;
    });

    it('holds the content back while the server takes nothing', async ({ skip }) => {
      const { proxy } = contract.fixture;
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
      const upload = contract.store.put('slow.bin', counted(), { signal: AbortSignal.any([signal, stop.signal]) });
      upload.catch(() => undefined);
      // It has pulled all it will when many turns of the event loop brought no more.
      for (let same = 0, last = -1; same < 20_000; same = pulled === last ? same + 1 : 0, last = pulled) await turn();
      expect(pulled).toBeGreaterThan(8 * MiB);
      expect(pulled).toBeLessThan(42 * MiB);
      stop.abort(new Error('seen enough'));
      for (const end of waiting) end();
      proxy.mend();
      await expect(upload).rejects.toThrow('seen enough');
      expect(await contract.fixture.leftovers()).toEqual([]);
      return undefined;
    });
  });
}
