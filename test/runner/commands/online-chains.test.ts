/** Chains of online backups, with the stand-ins of online-standins.ts. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoreConfig } from '../../../src/contract';
import { FIRST, OnlineStandins, SECOND, type Situation, THIRD } from './online-standins';

let standins: OnlineStandins;
let folder: string;

beforeEach(async () => {
  standins = await OnlineStandins.create();
  ({ folder } = standins);
});
afterEach(() => standins[Symbol.asyncDispose]());

const at: OnlineStandins['at'] = (...args) => standins.at(...args);
const take = (situation?: Situation) => standins.take(situation);
const failure = (situation: Situation) => standins.failure(situation);
const recordOf = (id?: string) => standins.recordOf(id);
const stored = () => standins.stored();

describe('a differential backup', () => {
  const elsewhere = async (): Promise<StoreConfig> => {
    const path = join(folder, 'elsewhere');
    await mkdir(path);
    return { kind: 'directory', directory: { path } };
  };

  it('has all that a restore of it takes, also when the one before is gone', async () => {
    await take({ online: { type: 'auto' } });
    await at('customer1', 25);
    const record = await take({ id: SECOND, online: { type: 'differential' } });
    const files = ['01', '02'].map((n) => `stillpoint/shop/graph/${SECOND}/customer1-2025-10-07T16-00-${n}.backup`);
    expect(record.dump?.databases).toMatchObject([{ files, highestTransaction: 25 }]);
    expect(record.objects?.map(({ key }) => key)).toEqual(files);
    const before = await stored();
    await rm(join(folder, 'store/stillpoint/shop/graph', FIRST), { recursive: true });
    expect(await stored()).toEqual(before.filter((file) => file.startsWith(SECOND)));
    for (const { location } of record.objects ?? []) {
      expect(JSON.parse(await readFile(new URL(location), 'utf8'))).toMatchObject({ database: 'customer1' });
    }
  });

  it('goes on with the chain that a database has in an earlier backup, where it failed in the one before', async () => {
    const databases = ['customer?'];
    await take({ online: { databases } });
    await at('customer2', 20);
    await failure({ id: SECOND, online: { databases, type: 'auto' }, env: { STANDIN_FAIL: 'customer1' } });
    await at('customer1', 30);
    const record = await take({ id: THIRD, online: { databases, type: 'differential' } });
    expect(record.dump?.databases?.map(({ name, files }) => [name, files?.length])).toEqual([
      ['customer1', 2],
      ['customer2', 3],
    ]);
  });

  it('on another volume than the one before begins a chain there, and goes on with that', async () => {
    const online = { type: 'auto' } as const;
    await take({ online });
    const storage = await elsewhere();
    const lengths: (number | undefined)[] = [];
    for (const id of [SECOND, THIRD]) lengths.push((await take({ id, online, storage })).objects?.length);
    // Back on the first one it goes on with what lies there.
    lengths.push((await take({ id: '20261129030000', online })).objects?.length);
    expect(lengths).toEqual([1, 2, 2]);
  });

  it('where the one before lies in a bucket begins a chain', async () => {
    await take({ uploads: true });
    expect((await take({ id: SECOND, online: { type: 'auto' } })).objects?.length).toBe(1);
    const error = await failure({ id: THIRD, online: { type: 'differential' }, storage: await elsewhere() });
    expect(error.message).toContain("No chain of 'customer1' to continue");
  });

  it('begins a chain anew when that of a database is long enough', async () => {
    const online = { type: 'auto', longestChain: 2 } as const;
    const lengths: (number | undefined)[] = [];
    for (const [index, id] of [FIRST, SECOND, THIRD].entries()) {
      await at('customer1', 10 * (index + 1));
      lengths.push((await take({ id, online })).objects?.length);
    }
    expect(lengths).toEqual([1, 2, 1]);
  });

  it('makes one file of a chain that is long enough, where that was wanted, and goes on from it', async () => {
    const online = { type: 'auto', longestChain: 2, chainEnd: 'aggregate' } as const;
    const [lengths, warned]: [(number | undefined)[], (readonly string[] | undefined)[]] = [[], []];
    const ids = [FIRST, SECOND, THIRD, '20261129030000', '20261130030000'];
    for (const [index, id] of ids.entries()) {
      await at('customer1', 10 * (index + 1));
      // The last of them finds that it cannot: the server is asked for all of it.
      const env = id === ids.at(-1) ? { STANDIN_AGGREGATE: 'broken' } : {};
      const { objects, warnings, dump } = await take({ id, online, env });
      expect(dump?.databases).toMatchObject([{ highestTransaction: 10 * (index + 1) }]);
      lengths.push(objects?.length);
      warned.push(warnings);
    }
    expect(lengths).toEqual([1, 2, 1, 2, 1]);
    const ofChain = expect.stringMatching(
      /^database customer1: the chain is not checked: neo4j-admin 2025\.10 checks full/,
    );
    const unseen = expect.stringMatching(
      /^database customer1: its chain was aggregated, and whether neo4j-admin keeps users/,
    );
    expect(warned.slice(0, -1)).toEqual([[], [ofChain], [unseen], [ofChain]]);
    expect(warned.at(-1)).toEqual([expect.stringMatching(/^database customer1: its chain was not aggregated: /)]);
    const folders = (await stored()).filter((file) => file.endsWith('.backup'));
    // Of what was aggregated nothing is gone, and nothing else is left.
    expect(folders.map((file) => file.slice(0, 8))).toEqual(
      ['26', '27', '27', '28', '29', '29', '30'].map((day) => `202611${day}`),
    );
  });

  it('fails where there is nothing to go on with, and leaves nothing', async () => {
    const error = await failure({ online: { type: 'differential' } });
    expect(error.message).toContain("No chain of 'customer1' to continue");
    expect(await recordOf()).toMatchObject({ phase: 'failed' });
    expect(await stored()).toEqual([]);
  });
});
