/** Copies of records in a store: a real folder as the store, and records in another. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { type CopyRecordsContext, copyRecords } from '../../../runner/commands/copy-records';
import { StillpointError } from '../../../runner/errors';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { StoreRegistry } from '../../../runner/registry/store';
import { openStore } from '../../../runner/storage';
import { generateKeys, verified } from '../../../runner/travel/signature';
import { readStoredCopy } from '../../../runner/travel/stored-copies';
import type { BackupRecord } from '../../../src/contract';
import { FakeClock } from '../../support/fake-clock';
import { gathered } from '../../support/gathered';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { recordWith } from '../../support/records';

const never = new AbortController().signal;
const OLDER = '20260101020000';
const NEWER = '20260102020000';

let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-copies-'));
  await mkdir(join(folder, 'records'));
  await mkdir(join(folder, 'store'));
  log = new QuietLog();
  registry = new DirectoryRegistry(join(folder, 'records'), log);
});
afterEach(() => rm(folder, { recursive: true }));

const store = () =>
  openStore(
    { kind: 'directory', directory: { path: join(folder, 'store'), volume: 'copies' } },
    { clock: systemClock, random: Math.random, environment: {} },
  );

const good = (id: string, more: Partial<BackupRecord> = {}): BackupRecord =>
  record({ id, phase: 'succeeded', cuts: recordWith().cuts, ...more });

async function copied(more: Partial<CopyRecordsContext> = {}) {
  return await copyRecords({
    registry,
    owner: { registry: 'stillpoint', uid: 'uid-1' },
    store: await store(),
    gone: [],
    source: { handles: async () => [{ volume: 'data', driver: 'disk.test', handle: 'snap-1' }] },
    clock: systemClock,
    log,
    runnerVersion: 'test',
    signal: never,
    ...more,
  });
}

const there = async (id: string) =>
  await readStoredCopy(await store(), { namespace: 'shop', database: 'orders-db', id }, never);

describe('copies of records', () => {
  it('are written of what succeeded and has snapshots, once', async () => {
    await registry.create(good(OLDER));
    await registry.create(good(NEWER));
    await registry.create(good('20260103020000', { phase: 'failed' }));
    await registry.create(good('20260104020000', { mode: 'dump', cuts: [] }));
    expect((await copied()).written.toSorted()).toEqual([`shop/orders-db/${OLDER}`, `shop/orders-db/${NEWER}`]);
    expect(await there(OLDER)).toMatchObject({
      record: { id: OLDER },
      snapshots: [{ driver: 'disk.test', handle: 'snap-1' }],
      exported: { registry: 'stillpoint' },
    });
    expect(await copied()).toEqual({ written: [], removed: [], unknown: [], failed: [], postponed: 0 });
  });

  it('are written for some minutes at a time, and the next run goes on', async () => {
    await registry.create(good(OLDER));
    await registry.create(good(NEWER));
    const clock = new FakeClock();
    const handles: CopyRecordsContext['source']['handles'] = async () => {
      clock.advance(300_000);
      return [{ volume: 'data', driver: 'disk.test', handle: 'snap-1' }];
    };
    const first = await copied({ source: { handles }, clock });
    expect([first.written.length, first.postponed]).toEqual([1, 1]);
    expect(await copied({ source: { handles }, clock })).toMatchObject({ postponed: 0 });
    expect([await there(OLDER), await there(NEWER)]).not.toContain(undefined);
  });

  it('do not stay where their backup was removed, or is being removed, while they were written', async () => {
    const older = await registry.create(good(OLDER));
    const newer = await registry.create(good(NEWER));
    const handles: CopyRecordsContext['source']['handles'] = async ({ id }) => {
      if (id === OLDER) await registry.remove(older);
      else await registry.update(newer, { ...newer.record, phase: 'deleting' });
      return [{ volume: 'data', driver: 'disk.test', handle: 'snap-1' }];
    };
    expect(await copied({ source: { handles } })).toMatchObject({ written: [], failed: [] });
    expect([await there(OLDER), await there(NEWER)]).toEqual([undefined, undefined]);
  });

  it('are signed where there is a key', async () => {
    const keys = generateKeys();
    await registry.create(good(OLDER));
    await copied({ signKey: { pem: keys.privateKey, file: 'key.pem' } });
    const document = await there(OLDER);
    expect(document && verified(document, keys.publicKey, 'key.pub')).toBe(keys.name);
  });

  it('go when their backup is gone, and stay while its record cannot be read', async () => {
    await registry.create(good(OLDER));
    const newer = await registry.create(good(NEWER));
    await copied();
    await registry.remove(newer);
    const gone = [OLDER, NEWER].map((id) => `shop/orders-db/${id}`);
    expect(await copied({ gone })).toMatchObject({ written: [], removed: [`shop/orders-db/${NEWER}`], failed: [] });
    expect(await there(NEWER)).toBeUndefined();

    const unreadable = {
      pages: async function* () {},
      get: () => Promise.reject(new StillpointError('record-unreadable', 'not today')),
    };
    expect(await copied({ registry: unreadable, gone })).toMatchObject({
      removed: [],
      failed: [`shop/orders-db/${OLDER}`],
    });
    expect(await there(OLDER)).toBeDefined();
  });

  it('of a list that was older than the copy stay', async () => {
    await registry.create(good(OLDER));
    await copied();
    const late = { pages: async function* () {}, get: registry.get.bind(registry) };
    const gone = [`shop/orders-db/${OLDER}`];
    expect(await copied({ registry: late, gone })).toMatchObject({ written: [], removed: [], failed: [] });
    expect(await there(OLDER)).toBeDefined();
  });

  it('of backups that nobody is known to have removed stay: a cluster may have been put back to yesterday', async () => {
    const lost = await registry.create(good(OLDER));
    await copied();
    await registry.remove(lost);
    expect(await copied()).toMatchObject({ removed: [], unknown: [`shop/orders-db/${OLDER}`], failed: [] });
    expect(await there(OLDER)).toBeDefined();
  });

  it('of a registry that is lost outlive it: another one of its name touches none', async () => {
    const lost = await registry.create(good(OLDER));
    await copied();
    await registry.remove(lost);
    await expect(copied({ owner: { registry: 'stillpoint', uid: 'uid-2' } })).rejects.toMatchObject({
      code: 'store-refused',
      message: expect.stringContaining('namespace stillpoint, UID uid-1'),
    });
    expect(await there(OLDER)).toBeDefined();
  });

  it('are one registry`s when two come first at once, and nobody`s who cannot read whose they are', async () => {
    const both = await Promise.allSettled(['uid-1', 'uid-2'].map((uid) => copied({ owner: { registry: 'r', uid } })));
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(both).toContainEqual({ status: 'rejected', reason: expect.objectContaining({ code: 'store-refused' }) });
    await writeFile(join(folder, 'store', 'registry', 'owner.yaml'), '{ no: [yaml');
    await expect(copied()).rejects.toMatchObject({ code: 'store-refused' });
  });

  it('of one whose snapshot nobody knows any more are missing, and keep no other', async () => {
    await registry.create(good(OLDER));
    await registry.create(good(NEWER));
    const handles: CopyRecordsContext['source']['handles'] = async ({ id }) => {
      if (id === OLDER) throw new StillpointError('backup-not-restorable', 'its snapshot is gone');
      return [{ volume: 'data', driver: 'disk.test', handle: 'snap-1' }];
    };
    expect(await copied({ source: { handles } })).toMatchObject({
      written: [`shop/orders-db/${NEWER}`],
      removed: [],
      // It never will have one: no prune fails for it.
      failed: [],
    });
  });
});

describe('a store with copies', () => {
  it('is listed without the cluster, beside the dumps that it has', async () => {
    await registry.create(good(OLDER));
    await copied();
    const dumped = join(folder, 'store', 'stillpoint', 'shop', 'orders-dump', NEWER);
    await mkdir(dumped, { recursive: true });
    const beside = good(NEWER, { database: 'orders-dump', mode: 'dump', cuts: [] });
    await writeFile(join(dumped, 'record.yaml'), JSON.stringify(beside));
    const stored = new StoreRegistry(await store(), { log, signal: never });
    const [page] = await gathered(stored.summaries({}));
    expect(page?.map(({ database, id }) => [database, id])).toEqual([
      ['orders-db', OLDER],
      ['orders-dump', NEWER],
    ]);
    expect(await stored.list({ namespace: 'other' })).toEqual([]);
    expect(await stored.list({ database: 'orders-db' })).toHaveLength(1);
  });

  it('hides none behind one that is of another backup', async () => {
    await registry.create(good(OLDER));
    await registry.create(good(NEWER));
    await copied();
    const keyOf = (id: string): string => join(folder, 'store', 'registry', 'shop', 'orders-db', `${id}.yaml`);
    await writeFile(keyOf(OLDER), await readFile(keyOf(NEWER)));
    const stored = new StoreRegistry(await store(), { log, signal: never });
    expect((await stored.list({})).map(({ record: { id } }) => id)).toEqual([NEWER]);
    await expect(stored.get('shop', 'orders-db', OLDER)).rejects.toMatchObject({ code: 'record-unreadable' });
  });
});
