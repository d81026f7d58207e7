/** What no stand-in can do: elections between the look at the primaries and their lock, and a mongos that answers late. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ServerLock } from '../../../../runner/engines/mongodb/server-lock';
import { ClusterLock } from '../../../../runner/engines/mongodb/sharded/cluster-lock';
import type { Router } from '../../../../runner/engines/mongodb/sharded/router';
import type { ShardMap } from '../../../../runner/engines/mongodb/sharded/shard-map';
import { StillpointError } from '../../../../runner/errors';

const MAP: ShardMap = [
  { name: 'config', setName: 'cfg', hosts: ['cfg-0:1'] },
  { name: 'shard-a', setName: 'a', hosts: ['a-0:1'] },
];
const signal = new AbortController().signal;

/** Servers that count their locks, of which a backup knows the first two. */
class TestCluster {
  readonly locked: Record<string, number> = { cfg: 0, a: 0 };
  readonly unlocks: string[] = [];
  map = MAP;
  counts: Record<string, number> | undefined;
  /** Who is locked by the mongos where the chosen ones are not. */
  primaries: readonly string[] = ['cfg', 'a'];
  answer = Promise.withResolvers<void>();
  readonly lock: ClusterLock;
  readonly asked: () => readonly boolean[];

  constructor() {
    const router = {
      map: async () => this.map,
      lock: async () => {
        await this.answer.promise;
        for (const set of this.primaries) this.locked[set] = (this.locked[set] ?? 0) + 1;
        return new Map(Object.entries(this.counts ?? { cfg: this.locked.cfg ?? 0, a: this.locked.a ?? 0 }));
      },
      unlock: async () => {
        this.unlocks.push('all');
        for (const set of this.primaries) this.locked[set] = Math.max(0, (this.locked[set] ?? 0) - 1);
      },
    } as unknown as Router;
    this.lock = new ClusterLock(router, MAP);
    const locks = ['cfg', 'a'].map((set) => this.#serverLock(set));
    for (const one of locks) this.lock.join(one);
    this.asked = () => locks.map(({ asked }) => asked);
  }

  #serverLock(set: string): ServerLock {
    const lock = {
      comment: 'x',
      asked: false,
      isThere: async () => (this.locked[set] ?? 0) > 0,
      release: async () => {
        if (!lock.asked) return;
        lock.asked = false;
        if ((this.locked[set] ?? 0) === 0) return;
        this.unlocks.push(set);
        this.locked[set] = (this.locked[set] ?? 0) - 1;
      },
      session: { server: { member: `${set}-0` } },
    };
    return lock as unknown as ServerLock;
  }

  answers(): this {
    this.answer.resolve();
    return this;
  }

  async taken(): Promise<StillpointError | undefined> {
    return await this.lock.take({ signal }).then(
      () => undefined,
      (error: StillpointError) => error,
    );
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the lock of a mongos on a cluster', () => {
  it('holds where all that are cut are locked, and is taken back at each of them', async () => {
    const cluster = new TestCluster().answers();
    expect(await cluster.taken()).toBeUndefined();
    expect(cluster.asked()).toEqual([true, true]);
    await cluster.lock.release({ signal });
    expect(cluster).toMatchObject({ locked: { cfg: 0, a: 0 }, unlocks: ['cfg', 'a'] });
    expect(cluster.lock.left).toEqual([]);
  });

  it('is not asked for where one of them is locked already', async () => {
    const cluster = new TestCluster().answers();
    cluster.locked.a = 1;
    expect(await cluster.taken()).toMatchObject({ code: 'freeze-left', message: expect.stringContaining('a-0 was') });
    await cluster.lock.release({ signal });
    expect(cluster).toMatchObject({ locked: { cfg: 0, a: 1 }, unlocks: [] });
  });

  it.each([
    ['another member is primary of a set now', { primaries: ['cfg', 'a-1'], counts: { cfg: 1, a: 1 } }, 'and a-0 not'],
    ['a shard has come meanwhile', { map: [...MAP, { name: 'b', setName: 'b', hosts: [] }] }, 'and is config=cfg'],
    ['the mongos does not say of one that it is locked', { counts: { cfg: 1 } }, 'a an unknown number of times'],
    ['the mongos has asked one twice', { primaries: ['cfg', 'a', 'a'] }, 'has locked a 2 times'],
  ])('is taken back everywhere where %s', async (_what, is, says) => {
    const cluster = Object.assign(new TestCluster(), is).answers();
    expect(await cluster.taken()).toMatchObject({ code: 'freeze-failed', message: expect.stringContaining(says) });
    await cluster.lock.release({ signal });
    expect(Object.values(cluster.locked)).toEqual(Object.values(cluster.locked).map(() => 0));
    expect(cluster.unlocks).toContain('all');
  });

  it('counts a server that cannot be asked as not locked', async () => {
    const cluster = new TestCluster();
    const lock = cluster.lock as unknown as { join(lock: ServerLock): void };
    let asks = 0;
    const isThere = async (): Promise<boolean> => {
      if (asks++ > 0) throw new StillpointError('session-lost', 'gone');
      return false;
    };
    const session = { server: { member: 'b-0' } };
    lock.join({ isThere, session, release: async () => undefined } as unknown as ServerLock);
    expect(await cluster.answers().taken()).toMatchObject({ code: 'freeze-failed' });
    await cluster.lock.release({ signal });
    expect(cluster.locked).toEqual({ cfg: 0, a: 0 });
  });

  it('tells of a server that is still locked by somebody else', async () => {
    const cluster = new TestCluster().answers();
    await cluster.taken();
    cluster.locked.a = 2;
    await cluster.lock.release({ signal });
    expect(cluster.lock.left).toEqual(['a-0']);
    expect(cluster.locked).toEqual({ cfg: 0, a: 1 });
  });
});

describe('a mongos that has not locked in time', () => {
  it('is waited for, and what it has locked after all is unlocked where it has locked it', async () => {
    const cluster = new TestCluster();
    cluster.primaries = ['cfg', 'a-1'];
    const taken = cluster.taken();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await taken).toMatchObject({ code: 'freeze-timeout' });
    expect(cluster.lock.waits).toBe(true);
    const released = cluster.lock.release({ signal });
    await vi.advanceTimersByTimeAsync(6_000);
    cluster.answers();
    await released;
    expect(cluster.locked).toEqual({ cfg: 0, a: 0, 'a-1': 0 });
    expect(cluster.unlocks).toEqual(['all']);
  });

  it('is not taken for one that has locked nothing: the thaw fails, and tells so', async () => {
    const cluster = new TestCluster();
    const taken = cluster.taken();
    await vi.advanceTimersByTimeAsync(5_000);
    await taken;
    const released = cluster.lock.release({ signal }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(12_000);
    expect(await released).toMatchObject({ code: 'thaw-failed', message: expect.stringContaining('has not said yet') });
    // Asked again, it is known.
    cluster.answers();
    await cluster.lock.release({ signal });
    expect(cluster.locked).toEqual({ cfg: 0, a: 0 });
  });

  it.each([
    ['has ended meanwhile', 'session-lost', 'thaw-failed'],
    ['could not: it has unlocked all itself', 'freeze-timeout', undefined],
  ] as const)('and %s', async (_what, code, failure) => {
    const cluster = new TestCluster();
    const taken = cluster.taken();
    await vi.advanceTimersByTimeAsync(5_000);
    await taken;
    const released = cluster.lock.release({ signal }).catch((error: unknown) => error);
    cluster.answer.reject(new StillpointError(code, 'x'));
    expect(await released).toEqual(failure === undefined ? undefined : expect.objectContaining({ code: failure }));
    expect(cluster.unlocks).toEqual([]);
  });
});
