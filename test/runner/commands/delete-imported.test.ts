/** Rule 10 and backups of other clusters: what stands in for what, and whose the data is. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deleteBackups } from '../../../runner/commands/delete';
import { FileLocks } from '../../../runner/local/locks';
import type { StoredRecord } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { ownsData } from '../../../src/contract';
import { FakeClock } from '../../support/fake-clock';
import { gathered } from '../../support/gathered';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const [OLDER, NEWER] = ['20260101000000', '20260102000000'];
const imported = { at: '2026-01-03T00:00:00.000Z', from: {}, ownsData: false };
const GONE = ['the storage says no'];

let folder: string;
let registry: DirectoryRegistry;
/** Whether the data of each that was removed was ours. */
let removed: boolean[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-delete-imported-'));
  registry = new DirectoryRegistry(folder, new QuietLog());
  removed = [];
});
afterEach(() => rm(folder, { recursive: true }));

function deleted(id: string, withData: boolean, missing: readonly string[] = []): Promise<unknown> {
  const remover = {
    remove: async (stored: StoredRecord) => {
      removed.push(ownsData(stored.record));
      return [];
    },
  };
  const context = {
    registry,
    remover,
    uses: { stale: async () => [] },
    clock: new FakeClock(),
    locksOf: () => new FileLocks(folder),
    confirm: async () => true,
    holder: 'this test',
    missingOf: async () => missing,
  };
  return gathered(deleteBackups(context as never, [id], { yes: true, withData }));
}

test('rule 10: the data of an imported one goes while another is there, and not when the storage has lost that', async () => {
  for (const id of [OLDER, NEWER]) await registry.create(record({ id, imported }));
  await expect(deleted(OLDER, true, GONE)).rejects.toMatchObject({
    code: 'delete-refused',
    message: expect.stringContaining('is the last good one'),
  });
  expect(removed).toEqual([]);
  await deleted(OLDER, true);
  expect(removed).toEqual([true]);
});

test('its record goes whatever stands in: the other cluster keeps the data', async () => {
  await registry.create(record({ id: OLDER, imported }));
  await deleted(OLDER, false, GONE);
  expect(removed).toEqual([false]);
});

test('rule 10: an imported one does not stand in for one of our own', async () => {
  await registry.create(record({ id: OLDER }));
  await registry.create(record({ id: NEWER, imported }));
  await expect(deleted(OLDER, false)).rejects.toMatchObject({ code: 'delete-refused' });
});

test('a deletion that is refused at the last moment leaves the data to the other cluster', async () => {
  for (const id of [OLDER, NEWER]) await registry.create(record({ id, imported }));
  // Between the first look and the second the other one goes.
  const list = registry.list.bind(registry);
  let looks = 0;
  registry.list = async (filter) => {
    const all = await list(filter);
    return ++looks > 2 ? all.filter((each) => each.record.id === OLDER) : all;
  };
  await expect(deleted(OLDER, true)).rejects.toMatchObject({ code: 'delete-refused' });
  const stored = await registry.get('shop', 'orders-db', OLDER);
  expect(stored?.record).toMatchObject({ phase: 'succeeded', imported: { ownsData: false } });
  expect(removed).toEqual([]);
});

test('rule 10: an imported dump stands in for nothing: whether it is still in its store, nobody can be asked', async () => {
  await registry.create(record({ id: OLDER, imported }));
  await registry.create(record({ id: NEWER, imported, mode: 'dump' }));
  await expect(deleted(OLDER, true)).rejects.toMatchObject({ code: 'delete-refused' });
});

test('the dump of another cluster is never taken along: nothing shows who wrote its record', async () => {
  for (const id of [OLDER, NEWER]) await registry.create(record({ id, imported, mode: 'dump' }));
  await expect(deleted(OLDER, true)).rejects.toMatchObject({
    code: 'delete-refused',
    message: expect.stringContaining("is another cluster's"),
  });
  await deleted(OLDER, false);
  expect(removed).toEqual([false]);
});
