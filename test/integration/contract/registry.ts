/** What every registry has to hold, written once. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RecordFilter, RecordSummary, Registry, StoredRecord } from '../../../runner/ports';
import { API_VERSION, type BackupRecord } from '../../../src/contract';
import { gathered } from '../../support/gathered';

/** A registry that nobody else writes to. */
export interface RegistryFixture {
  /** The same records through another client, as a second process would see them. */
  open(): Registry;
  remove(): Promise<void>;
}

/** Registers the suite. */
export function registryContract(name: string, make: () => Promise<RegistryFixture>): void {
  describe(`registry contract: ${name}`, () => {
    let fixture: RegistryFixture;
    let registry: Registry;
    let second = 0;

    beforeAll(async () => {
      fixture = await make();
    });
    beforeEach(() => {
      registry = fixture.open();
    });
    afterAll(async () => {
      await fixture?.remove();
    });

    const fresh = (changes: Partial<BackupRecord> = {}): BackupRecord => ({
      apiVersion: API_VERSION,
      kind: 'Backup',
      id: `202602020000${String(second++).padStart(2, '0')}`,
      namespace: 'shop',
      database: 'orders',
      engine: 'postgres',
      policy: 'orders',
      trigger: 'manual',
      mode: 'snapshot',
      owner: { jobUid: 'job-1' },
      phase: 'pending',
      times: { started: '2026-02-02T00:00:00.000Z' },
      budgetSeconds: 30,
      volumes: [],
      cuts: [],
      // Byte for byte: lines, tabs, blanks at the ends, an empty value.
      artifacts: { backup_label: 'START WAL LOCATION: 0/2000028 (file 0)\nLABEL: "a\'b\\c"\t \n', tablespace_map: '' },
      runnerVersion: 'test',
      ...changes,
    });

    it('gives back what it was given, to the byte', async () => {
      const record = fresh();
      await registry.create(record);
      const found = await fixture.open().get(record.namespace, record.database, record.id);
      expect(found?.record).toEqual(record);
      expect(found?.deletionRequested).toBe(false);
    });

    it('knows nothing of what is not there', async () => {
      expect(await registry.get('shop', 'orders', '19990101000000')).toBeUndefined();
    });

    it('refuses a second record of the same name, and keeps the first', async () => {
      const record = fresh();
      await registry.create(record);
      await expect(fixture.open().create({ ...record, policy: 'another' })).rejects.toMatchObject({ code: 'id-taken' });
      expect((await registry.get('shop', 'orders', record.id))?.record.policy).toBe('orders');
    });

    it('lets one of two change a record, and tells the other', async () => {
      const record = fresh();
      const mine = await registry.create(record);
      const theirs = await fixture.open().get('shop', 'orders', record.id);
      if (theirs === undefined) throw new Error('the record is gone');
      const newer = await registry.update(mine, { ...record, phase: 'freezing' });
      await expect(fixture.open().update(theirs, { ...record, phase: 'failed' })).rejects.toMatchObject({
        code: 'record-conflict',
      });
      expect(newer.record.phase).toBe('freezing');
      expect((await registry.get('shop', 'orders', record.id))?.record.phase).toBe('freezing');
    });

    it('lets exactly one of many win at once', async () => {
      const record = fresh();
      const stored = await registry.create(record);
      const attempts = Array.from({ length: 8 }, (_, index) =>
        fixture.open().update(stored, { ...record, policy: `writer-${index}` }),
      );
      const outcomes = await Promise.allSettled(attempts);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    it('lists newest first, and only what is asked for', async () => {
      const here = fresh({ database: 'listed' });
      const newer = fresh({ database: 'listed' });
      const elsewhere = fresh({ database: 'listed', namespace: 'bank' });
      for (const record of [here, newer, elsewhere]) await registry.create(record);
      const ids = async (filter: Parameters<Registry['list']>[0]): Promise<readonly string[]> =>
        (await registry.list(filter)).map(({ record }) => record.id);
      expect(await ids({ namespace: 'shop', database: 'listed' })).toEqual([newer.id, here.id]);
      expect(await ids({ database: 'listed' })).toEqual([elsewhere.id, newer.id, here.id]);
      expect(await ids({ database: 'listed', engine: 'postgres' })).toHaveLength(3);
      const cut = fresh({ database: 'listed', phase: 'cut' });
      await registry.create(cut);
      expect(await ids({ database: 'listed', phases: ['freezing', 'cut'] })).toEqual([cut.id]);
      expect(await ids({ database: 'listed', phases: ['cut', 'pending'] })).toHaveLength(4);
      expect(await ids({ database: 'none-of-this-name' })).toEqual([]);
    });

    it('gives pages and summaries of what it lists, in the order of names', async () => {
      const made = [
        fresh({ database: 'paged-db', phase: 'failed' }),
        fresh({ database: 'paged', phase: 'succeeded' }),
        fresh({ database: 'paged', phase: 'cut', trigger: 'scheduled' }),
      ];
      for (const record of made) await registry.create(record);
      const [other, first, second] = made.map(({ namespace, database, id, engine, phase, trigger }) => ({
        ...{ namespace, database, id, engine, phase, trigger },
      }));
      const summaries = async (filter: RecordFilter): Promise<readonly RecordSummary[]> =>
        (await gathered(registry.summaries(filter))).flat();
      const all = (await summaries({ namespace: 'shop' })).filter(({ database }) => database.startsWith('paged'));
      // The dash comes before the dot that follows a database in a name.
      expect(all).toMatchObject([other, first, second]);
      expect(await summaries({ database: 'paged', phases: ['cut'] })).toMatchObject([second]);
      expect(await summaries({ database: 'paged', id: first?.id })).toMatchObject([first]);
      const pages = (await gathered(registry.pages({ database: 'paged' }))).flat();
      expect(pages.map(({ record }) => record)).toEqual([made[1], made[2]]);
      expect(pages[0]).toEqual(await registry.get('shop', 'paged', first?.id ?? ''));
    });

    it('removes a record for good', async () => {
      const record = fresh();
      const stored = await registry.create(record);
      await registry.remove(stored);
      expect(await registry.get('shop', 'orders', record.id)).toBeUndefined();
      await expect(registry.update(stored, record)).rejects.toMatchObject({ code: 'record-conflict' });
    });

    it('follows a record through its life, and ends when it is told to', async () => {
      const record = fresh();
      const controller = new AbortController();
      const name = { namespace: 'shop', database: 'orders', id: record.id };
      let stored: StoredRecord | undefined;
      const seen: (string | undefined)[] = [];
      for await (const found of fixture.open().follow(name, controller.signal)) {
        seen.push(found?.record.phase);
        if (found === undefined && stored === undefined) stored = await registry.create(record);
        else if (found?.record.phase === 'pending') stored = await registry.update(found, { ...record, phase: 'cut' });
        else if (found?.record.phase === 'cut') await registry.remove(found);
        else controller.abort();
      }
      expect(seen).toEqual([undefined, 'pending', 'cut', undefined]);
    });
  });
}
