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

it('is not held up by a backup of another database that the storage does not let go', async () => {
  const stuck = await registry.create(record({ id: '20260101030000', phase: 'deleting' }));
  await registry.create(record({ database: 'other-db', phase: 'deleting' }));
  const letGo = Promise.withResolvers<readonly string[]>();
  const remover: Remover = {
    async remove({ record: { id } }) {
      if (id === stuck.record.id) return letGo.promise;
      letGo.resolve(['volumesnapshot/stuck']);
      return [];
    },
    removeLeftovers: async () => [],
  };
  expect(await prune({ ...world, registry, remover })).toMatchObject({
    removed: [`shop/other-db/${failed.id}`],
    left: [`shop/orders-db/${stuck.record.id}`],
  });
});
