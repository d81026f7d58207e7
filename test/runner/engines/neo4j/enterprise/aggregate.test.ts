/** What becomes of a chain that is long enough, by a stand-in for neo4j-admin (tool-standin.ts). */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OnlineBackupWorld } from '../../../../../runner/engines/neo4j/enterprise/admin-run';
import { adminVersionOf } from '../../../../../runner/engines/neo4j/enterprise/admin-version';
import type { DatabaseEnd } from '../../../../../runner/engines/neo4j/enterprise/online-backup';
import { StillpointError } from '../../../../../runner/errors';
import { ranges, ToolStandin } from './tool-standin';

let tool: ToolStandin;
let folder: string;
let to: string;

beforeEach(async () => {
  tool = await ToolStandin.create();
  ({ folder, to } = tool);
});
afterEach(() => tool[Symbol.asyncDispose]());

const at: ToolStandin['at'] = (...args) => tool.at(...args);
const take: ToolStandin['take'] = (...args) => tool.take(...args);
const worldOf: ToolStandin['world'] = (...args) => tool.world(...args);
const of: ToolStandin['of'] = (version) => tool.of(version);

/** What is free, question by question. */
const freeOnce =
  (...free: number[]) =>
  async (): Promise<number> =>
    free.shift() ?? Number.NaN;

describe('a chain that is long enough', () => {
  const aggregate = ['orders'];
  const unseen =
    'database orders: its chain was aggregated, and whether neo4j-admin keeps users and roles in such a file is not known: a restore says where there are none';
  beforeEach(async () => {
    await at('orders', 5);
    await take(['orders']);
    await at('orders', 9);
  });

  it.each(['2025.10.0', '5.26.0'])(
    'becomes one full file of all that it has, and stays beside it: %s',
    async (says) => {
      const [{ version }, world] = of(says);
      const [end] = await take(['orders'], { aggregate, version }, world);
      expect([ranges(end as DatabaseEnd), end?.warnings]).toEqual(['1-9', [unseen]]);
      expect((await readdir(to)).map((name) => name.slice(-9, -7))).toEqual(['01', '02']);
      expect(end?.chain?.[0]?.file).toMatch(/-03\.backup$/);
    },
  );

  it('has an end of which nothing was written, and becomes one file all the same', async () => {
    await take(['orders']);
    const [end] = await take(['orders'], { aggregate });
    expect([ranges(end as DatabaseEnd), end?.warnings]).toEqual(['1-9', [unseen]]);
  });

  it('is checked as one where the version checks chains, and its end is told where not', async () => {
    const warned: (readonly string[] | undefined)[] = [];
    for (const version of ['2025.08.1', '2025.09.0']) {
      const [end] = await take(['orders'], ...of(version));
      warned.push(end?.warnings);
    }
    expect(warned).toEqual([
      [],
      [
        'database orders: the chain is not checked: neo4j-admin 2025.09 checks full backups that are recovered, and this is one with what came since',
      ],
    ]);
    await at('orders', 11, { broken: true });
    const [before] = await take(['orders'], ...of('2025.08.1'));
    expect(before?.error?.message).toMatch(/^the check of orders ended with 1: Inconsistencies found/);
    const [[full], left] = [await take(['orders'], { type: 'full' }), await readdir(folder)];
    expect(full?.error?.message).toMatch(/^the check of orders ended with 1: Inconsistencies found/);
    expect(left.toSorted()).toEqual(['backups', 'server']);
  });

  it('of another database stays as it is', async () => {
    const [end] = await take(['orders'], { aggregate: ['others'] });
    expect(ranges(end as DatabaseEnd)).toBe('1-5 6-9');
  });

  it.each([
    [
      'the tool cannot',
      { STANDIN_AGGREGATE: 'fails' },
      {},
      /the aggregation of orders ended with 1: Failed to aggregate/,
    ],
    [
      'what came of it is not consistent',
      { STANDIN_AGGREGATE: 'broken' },
      {},
      /the check of what orders was aggregated to .*Inconsist/,
    ],
    ['it lacks something', { STANDIN_AGGREGATE: 'short' }, {}, /there is no full file up to transaction 9$/],
    [
      'the version has it not',
      { STANDIN_VERSION: '5.1.0' },
      { version: adminVersionOf('5.1.0') },
      /neo4j-admin 5\.1 does not aggregate/,
    ],
  ])('is taken in full again where %s, and that is said', async (_, env, more, why) => {
    const [end] = await take(['orders'], { aggregate, ...more }, worldOf(env));
    expect(end?.error).toBeUndefined();
    expect(ranges(end as DatabaseEnd)).toBe('1-9');
    expect(end?.warnings).toEqual([expect.stringMatching(/^database orders: its chain was not aggregated: /)]);
    expect(end?.warnings?.[0]).toMatch(why);
  });

  it('stays where there is room for neither', async () => {
    const [end] = await take(['orders'], { aggregate }, { ...worldOf(), freeBytes: freeOnce(1e9, 10, 10) });
    expect(ranges(end as DatabaseEnd)).toBe('1-5 6-9');
    expect(end?.warnings).toEqual([
      expect.stringMatching(/^database orders: the chain is not checked: /),
      expect.stringMatching(
        /its chain was not aggregated: 10 bytes are free, and the chain of orders takes \d+: it is copied, and made one file of$/,
      ),
      expect.stringMatching(/it was not taken in full: 10 bytes are free for a backup of orders/),
    ]);
  });

  it('is what it was where its product had the name of its last file, in place, and was not good', async () => {
    const world = { ...worldOf({ STANDIN_AGGREGATE: 'in-place-broken' }), freeBytes: freeOnce(1e9, 1e9, 10) };
    const [end] = await take(['orders'], { aggregate }, world);
    expect([ranges(end as DatabaseEnd), end?.error]).toEqual(['1-5 6-9', undefined]);
    expect(end?.warnings).toHaveLength(3);
    expect(end?.warnings?.[1]).toMatch(/the check of what orders was aggregated to .*Inconsist/);
    const files = await Promise.all((end?.chain ?? []).map(({ file }) => readFile(file, 'utf8')));
    expect(files.map((file) => JSON.parse(file) as object)).toMatchObject([
      { full: true, lowest: 1, highest: 5 },
      { full: false, lowest: 6, highest: 9 },
    ]);
    expect(files.filter((file) => file.includes('broken'))).toEqual([]);
  });

  it('of the database system has no users and roles beside it', async () => {
    for (const highest of [3, 4]) {
      await at('system', highest);
      const [end] = await take(['system'], { aggregate: ['system'] });
      expect([ranges(end as DatabaseEnd), end?.warnings]).toEqual([`1-${highest}`, []]);
    }
  });

  it('becomes one file by the name of its last, and is what it was', async () => {
    const last = join(to, 'orders-2025-10-07T16-00-02.backup');
    const [end] = await take(['orders'], { aggregate }, worldOf({ STANDIN_AGGREGATE: 'in-place' }));
    expect([ranges(end as DatabaseEnd), end?.error]).toEqual(['1-9', undefined]);
    expect(basename(end?.chain?.[0]?.file ?? '')).toBe(basename(last));
    expect(JSON.parse(await readFile(last, 'utf8'))).toMatchObject({ full: false, lowest: 6, highest: 9 });
  });

  it.each([
    ['is gone', (file: string) => rm(file)],
    [
      'is another',
      (file: string) =>
        writeFile(
          file,
          JSON.stringify({ database: 'orders', id: 'id-of-orders', full: true, lowest: 1, highest: 9, time: '02' }),
        ),
    ],
    ['is of another size', async (file: string) => writeFile(file, `${await readFile(file, 'utf8')} `)],
  ])('of which a file %s after what was tried in vain is no backup', async (_, spoil) => {
    const world = { ...worldOf(), freeBytes: freeOnce(1e9, 1e9, 10) };
    const spoiling: OnlineBackupWorld = {
      ...world,
      run: async (line, signal) => {
        if (!line.args.includes('aggregate')) return await world.run(line, signal);
        await spoil(join(to, 'orders-2025-10-07T16-00-02.backup'));
        return { exitCode: 1, output: '', said: 'spoilt' };
      },
    };
    const [end] = await take(['orders'], { aggregate }, spoiling);
    expect([end?.chain, end?.error?.code]).toEqual([undefined, 'tool-failed']);
    expect(end?.error?.message).toMatch(
      /-02\.backup is not what it was before the chain of orders was to become one file$/,
    );
  });

  it('leaves nothing that takes room where it did not become one file', async () => {
    const world = { ...worldOf({ STANDIN_AGGREGATE: 'broken', STANDIN_FAIL_FULL: 'orders' }) };
    const [end] = await take(['orders'], { aggregate }, world);
    expect(ranges(end as DatabaseEnd)).toBe('1-5 6-9');
    expect(end?.warnings?.at(-1)).toMatch(/it was not taken in full: .*succeeded with problems/);
    expect((await readdir(folder, { recursive: true })).toSorted()).toEqual([
      'backups',
      'backups/orders-2025-10-07T16-00-01.backup',
      'backups/orders-2025-10-07T16-00-02.backup',
      'server',
      'server/orders.json',
    ]);
  });

  it('that a stop ends in the middle is no backup', async () => {
    const stop = new AbortController();
    const world = worldOf();
    const stopping: OnlineBackupWorld = {
      ...world,
      signal: stop.signal,
      run: async (line, signal) => {
        if (line.args.includes('aggregate')) stop.abort(new StillpointError('interrupted', 'told to stop'));
        signal.throwIfAborted();
        return await world.run(line, signal);
      },
    };
    await expect(take(['orders'], { aggregate }, stopping)).rejects.toMatchObject({ code: 'interrupted' });
  });
});
