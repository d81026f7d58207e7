/** What earlier runs of dumps have left: who removes it, and who leaves it alone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StillpointError } from '../../../runner/errors';
import type { DirectoryRegistry } from '../../../runner/registry/directory';
import type { ObjectStore } from '../../../runner/storage/object-store';
import type { BackupRecord } from '../../../src/contract';
import { record } from '../../support/record';
import { ID } from './dump-context';
import { Dumps, FOLDER, OBJECTS, putting } from './dump-fixture';

let dumps: Dumps;
let folder: string;
let registry: DirectoryRegistry;
beforeEach(async () => {
  dumps = await Dumps.create();
  ({ folder, registry } = dumps);
});
afterEach(() => dumps[Symbol.asyncDispose]());

describe('what earlier runs have left', () => {
  const pending = (change: Partial<BackupRecord>): BackupRecord =>
    record({ mode: 'dump', phase: 'pending', plannedObjects: [`${FOLDER}/dump.sql.zst`], ...change });

  it("is removed, and taken anew, where it is this Job's own", async () => {
    await registry.create(pending({ id: ID }));
    await dumps.put(`${FOLDER}/dump.sql.zst`, 'of an earlier pod');
    const taken = await dumps.take();
    expect(taken.warnings).toEqual([expect.stringContaining('an earlier pod')]);
    expect((await readFile(join(folder, 'store', FOLDER, 'dump.sql.zst'))).length).toBe(taken.objects?.[0]?.bytes);
  });

  it("is ended, and removed, where it is another Job's; snapshots are left to those who take them", async () => {
    const key = 'stillpoint/shop/orders-db/20261125041500/dump.sql.zst';
    await registry.create(pending({ id: '20261125041500', owner: { jobUid: 'job-0' }, plannedObjects: [key] }));
    await registry.create(record({ id: '20261124041500', phase: 'freezing', owner: { jobUid: 'job-00' } }));
    await dumps.put(key, 'of an earlier Job');
    await dumps.take();
    expect(await dumps.stored()).toEqual(OBJECTS);
    expect((await registry.get('shop', 'orders-db', '20261125041500'))?.record).toMatchObject({
      phase: 'failed',
      error: { code: 'runner-lost' },
    });
    expect((await registry.get('shop', 'orders-db', '20261124041500'))?.record.phase).toBe('freezing');
  });

  it('is left to the pruner where the policy has had another storage since', async () => {
    const key = 'stillpoint/shop/orders-db/20261125041500/dump.sql.zst';
    const store = { kind: 'directory', directory: { path: join(folder, 'former') } };
    const lost = { id: '20261125041500', owner: { jobUid: 'job-0' }, plannedObjects: [key], store } as const;
    await registry.create(pending(lost));
    await dumps.put(key, "somebody else's, in the present storage");
    await dumps.take();
    expect(await dumps.stored()).toContain(key);
    expect((await registry.get('shop', 'orders-db', '20261125041500'))?.record).toMatchObject({
      phase: 'failed',
      plannedObjects: [key],
      leftovers: [key],
    });
  });

  it('is on record as left behind before any of it is removed, and not afterwards', async () => {
    const seen: (readonly string[] | undefined)[] = [];
    const store = (real: ObjectStore): ObjectStore => {
      const remove = real.delete.bind(real);
      real.delete = async (...args) => {
        seen.push((await registry.get('shop', 'orders-db', ID))?.record.leftovers);
        await remove(...args);
      };
      return putting(real, async (key, ...rest) => {
        if (key.endsWith('owner.yaml')) return await real.put(key, ...rest);
        throw new StillpointError('store-refused', 'full');
      });
    };
    const { record: left } = await dumps.failed({ store });
    expect(seen.map((keys) => keys?.toSorted())).toEqual([OBJECTS]);
    expect(left).not.toHaveProperty('leftovers');
  });

  it('is not removed by who lost it to another pod: what lies there may be that one`s', async () => {
    const store = (real: ObjectStore): ObjectStore =>
      putting(real, async (...args) => {
        const there = await registry.get('shop', 'orders-db', ID);
        if (there !== undefined) await registry.update(there, { ...there.record, warnings: ['taken over'] });
        return await real.put(...args);
      });
    const { error } = await dumps.failed({ store });
    expect(error).toMatchObject({ code: 'record-conflict' });
    expect(await dumps.stored()).toContain(`${FOLDER}/dump.sql.zst`);
  });
});
