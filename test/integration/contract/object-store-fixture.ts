/** What the contract of object stores works with: a store, its server, and contents. */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { ObjectStore, PutOptions } from '../../../runner/storage/object-store';
import type { SpoiltAnswer, UnreliableProxy } from '../../support/unreliable-proxy';

export const MiB = 1024 * 1024;
/** Of a request in these tests. */
export const PATIENCE_SECONDS = 6;
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

export async function sha256(of: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of of) hash.update(chunk);
  return hash.digest('hex');
}

export async function bytesOf(of: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of of) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Waits for what happens in this process and in a server beside it, for a bounded number of turns. */
export async function soon(happened: () => boolean): Promise<void> {
  for (let turns = 0; !happened(); turns++) {
    if (turns > 200_000) throw new Error(`it did not come to: ${happened}`);
    await turn();
  }
}

/** Waits until the server has two parts more than when this is called: what it is still taking comes back after it was removed. */
export function arrival(proxy: UnreliableProxy | undefined): () => Promise<void> {
  const from = proxy?.seen.length;
  const parts = (): number => proxy?.seen.slice(from).filter((seen) => seen.startsWith('PUT')).length ?? 0;
  return async () => {
    if (proxy !== undefined) await soon(() => parts() >= 2 && proxy.underWay === 0);
  };
}

/** A suite at work: the fixture is there when tests run. */
export interface ContractAtWork {
  readonly fixture: ObjectStoreFixture;
  readonly store: ObjectStore;
  readonly signal: AbortSignal;
  put(key: string, bytes: number, options?: Partial<PutOptions>): ReturnType<ObjectStore['put']>;
  keys(prefix: string): Promise<readonly string[]>;
}
