/** What a retention keeps and what it removes, on the storage too: by the pruner's own Job, and by hand. */
import type { RetentionProps } from 'stillpoint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KINDS, read } from './harness/cluster';
import { prune } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { stillpoint } from './harness/stillpoint';
import { connect, keptLog, makeVolumes, snapshotsOnStorage } from './kube/fixture';
import { addBackup, applyRetention, type HistoryPlace, registryOf } from './kube/history';

let space: TestNamespace;
let base: Omit<HistoryPlace, 'database'>;
const log = keptLog();

beforeAll(async () => {
  space = await makeNamespace('retention');
  const volumes = await makeVolumes(space.name, ['data']);
  base = { client: await connect(), namespace: space.name, volumes, log };
});
afterAll(() => space[Symbol.asyncDispose]());

/** A database of its own, with a policy that keeps what is said. */
async function database(name: string, retention: RetentionProps, timeZone?: string): Promise<HistoryPlace> {
  const place = { ...base, database: name };
  await applyRetention(place, retention, timeZone);
  return place;
}

/** The ids that are on record, newest first; and whether each one's snapshot is on the storage. */
async function onRecord(place: HistoryPlace): Promise<readonly string[]> {
  const { namespace, database } = place;
  const storage = await snapshotsOnStorage();
  return (await registryOf(place).list({ namespace, database })).map(({ record: { id, cuts } }) =>
    cuts.every(({ handle = '' }) => storage.has(handle)) ? id : `${id} without its snapshot`,
  );
}

test('the pruner removes what the retention does not keep, with snapshots, contents and records', async () => {
  const place = await database('daily', { keepDaily: 2 }, 'Europe/Berlin');
  // 23:30 and 00:30 in Berlin: the first three are of three days, the last two of one.
  for (const at of ['2026-10-23T22:30:00Z', '2026-10-24T22:30:00Z', '2026-10-25T23:30:00Z', '2026-10-26T02:30:00Z']) {
    await addBackup(place, at);
  }
  const before = await registryOf(place).list({ namespace: space.name, database: 'daily' });
  const planned = await stillpoint('prune', '--dry-run', '-n', space.name, '-o', 'json');
  expect(planned.exitCode, planned.stderr).toBe(0);
  expect(JSON.parse(planned.stdout)).toMatchObject([
    { backup: '20261026023000', action: 'keep', reasons: [{ rule: 'keepDaily' }, { rule: 'last-good' }] },
    { backup: '20261025233000', action: 'remove', reasons: [{ rule: 'keepDaily' }] },
    { backup: '20261024223000', action: 'keep', reasons: [{ text: 'the newest of 2026-10-25' }] },
    { backup: '20261023223000', action: 'remove', reasons: [{ text: expect.stringContaining('2026-10-24 is older') }] },
  ]);
  expect(await onRecord(place)).toHaveLength(4);

  await prune();
  expect(await onRecord(place)).toEqual(['20261026023000', '20261024223000']);
  const storage = await snapshotsOnStorage();
  for (const { record } of before.filter((_, index) => index % 2 === 1)) {
    const [cut] = record.cuts;
    expect(storage).not.toContain(cut?.handle);
    expect(await read(KINDS.snapshot, cut?.snapshot ?? '', space.name)).toBeUndefined();
    expect(await read(KINDS.snapshotContent, cut?.content ?? '')).toBeUndefined();
  }
  const again = await stillpoint('prune', '--dry-run', '-n', space.name, '-o', 'name');
  expect(again.stdout).not.toContain('/daily/');
});
