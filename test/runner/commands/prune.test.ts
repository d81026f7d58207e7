import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { prune } from '../../../runner/commands/prune';
import type { Remover } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

let folder: string;
let registry: DirectoryRegistry;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-prune-'));
  registry = new DirectoryRegistry(folder, new QuietLog());
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const world = {
  policies: { list: async () => [] },
  uses: { stale: async () => [] },
  clock: systemClock,
  log: new QuietLog(),
  holder: 'this test',
};
const SNAPSHOT = 'orders-db-data-20260101020000';
const failed = record({ phase: 'failed', plannedSnapshots: [SNAPSHOT], leftovers: [`volumesnapshot/${SNAPSHOT}`] });

describe('pruning what a failed backup has left', () => {
  it('removes it, and keeps the record without it', async () => {
    await registry.create(failed);
    const remover: Remover = { remove: async () => [], removeLeftovers: async () => [] };
    expect(await prune({ ...world, registry, remover })).toMatchObject({ left: [], removed: [] });
    expect((await registry.list({}))[0]?.record).toMatchObject({ phase: 'failed', leftovers: [] });
  });

  it("touches nothing of a backup that its Job's next pod has begun again meanwhile", async () => {
    await registry.create(failed);
    await registry.create(record({ id: '20260101030000', phase: 'deleting' }));
    const touched: string[] = [];
    const remover: Remover = {
      // While another record is pruned, which takes its time, the failed backup is taken again and succeeds.
      async remove({ record: { id } }) {
        touched.push(id);
        const stored = await registry.get('shop', 'orders-db', failed.id);
        if (stored !== undefined) await registry.update(stored, record({ plannedSnapshots: [SNAPSHOT] }));
        return [];
      },
      removeLeftovers: async () => [],
    };
    await prune({ ...world, registry, remover });
    expect(touched).toEqual(['20260101030000']);
    expect((await registry.list({})).map(({ record: { phase } }) => phase)).toEqual(['succeeded']);
  });
});

describe('a backup that the storage does not let go', () => {
  const stuckId = '20260103020000';

  /** A remover that waits with the stuck one until `letGo` is called, and says which ones it was asked for. */
  function waiting(): { readonly remover: Remover; readonly asked: string[]; readonly letGo: () => void } {
    const asked: string[] = [];
    const stuck = Promise.withResolvers<readonly string[]>();
    const remover: Remover = {
      remove: async ({ record: { id } }) => {
        asked.push(id);
        return id === stuckId ? stuck.promise : [];
      },
      removeLeftovers: async () => [],
    };
    return { remover, asked, letGo: () => stuck.resolve(['volumesnapshot/stuck']) };
  }

  it.each([
    ['another database', { database: 'other-db' }],
    ['the same database', {}],
  ])('does not hold up one of %s', async (_, of) => {
    await registry.create(record({ id: stuckId, phase: 'deleting' }));
    await registry.create(record({ ...of, phase: 'deleting' }));
    const { remover, letGo } = waiting();
    const other = {
      ...remover,
      remove: (stored: Parameters<Remover['remove']>[0]) => {
        if (stored.record.id !== stuckId) letGo();
        return remover.remove(stored);
      },
    };
    expect(await prune({ ...world, registry, remover: other })).toMatchObject({
      removed: [expect.stringContaining(failed.id)],
      left: [`shop/orders-db/${stuckId}`],
    });
  });

  it('goes before what it needs all the same', async () => {
    const needed = '20260101020000';
    await registry.create(record({ id: stuckId, phase: 'deleting', needs: [needed] }));
    const others = ['20260102020000', '20251231020000'];
    for (const id of [needed, ...others]) await registry.create(record({ id, phase: 'deleting' }));
    const { remover, asked, letGo } = waiting();
    const other = {
      ...remover,
      remove: async (stored: Parameters<Remover['remove']>[0]) => {
        const done = remover.remove(stored);
        // The last of the others is begun when the first is gone: one that did not wait would have been asked for long before.
        if ([stuckId, ...others].every((id) => asked.includes(id)) && !asked.includes('let go')) {
          asked.push('let go');
          letGo();
        }
        return await done;
      },
    };
    await prune({ ...world, registry, remover: other });
    expect(asked.slice(0, 3).toSorted()).toEqual([stuckId, ...others].toSorted());
    expect(asked.slice(3)).toEqual(['let go', needed]);
  });
});
