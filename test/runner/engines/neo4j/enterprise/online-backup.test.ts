/** Online backups by a stand-in for neo4j-admin (test/support/neo4j-admin-standin.mjs says what it is not), which runs as a process. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { folderApart, folderOfCopies, removeAt } from '../../../../../runner/dump/work-folders';
import type { OnlineBackup, OnlineBackupWorld } from '../../../../../runner/engines/neo4j/enterprise/admin-run';
import { adminVersionOf } from '../../../../../runner/engines/neo4j/enterprise/admin-version';
import { artifactsIn, chainOf } from '../../../../../runner/engines/neo4j/enterprise/artifacts';
import { backUpOnline, type DatabaseEnd } from '../../../../../runner/engines/neo4j/enterprise/online-backup';
import { StillpointError } from '../../../../../runner/errors';

const STANDIN = new URL('../../../../support/neo4j-admin-standin.mjs', import.meta.url).pathname;
/** What the stand-in is by itself. */
const VERSION = '2025.10.0';
const never = new AbortController().signal;

let folder: string;
let to: string;
let server: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-online-'));
  [to, server] = [join(folder, 'backups'), join(folder, 'server')];
  await Promise.all([mkdir(to), mkdir(server)]);
});
afterEach(() => rm(folder, { recursive: true }));

/** A database of the stand-in's server, at a transaction. */
const at = (name: string, highest: number, more: object = {}): Promise<void> =>
  writeFile(join(server, `${name}.json`), JSON.stringify({ id: `id-of-${name}`, highest, ...more }));

function worldOf(env: Readonly<Record<string, string>> = {}, freeBytes = 1e9): OnlineBackupWorld {
  return {
    run: ({ args }) =>
      new Promise((resolve) => {
        const child = execFile(
          process.execPath,
          [STANDIN, ...args],
          { env: { ...process.env, STANDIN_SERVER: server, ...env } },
          (_, output, said) => resolve({ exitCode: child.exitCode ?? -1, output, said }),
        );
      }),
    freeBytes: async () => freeBytes,
    sizeOf: async (file) => (await stat(file)).size,
    apart: (files) => folderApart(folder, files),
    copies: (files) => folderOfCopies(folder, files, never),
    remove: removeAt,
    signal: never,
  };
}

const take = (
  names: readonly string[],
  more: Partial<OnlineBackup> = {},
  world = worldOf(),
): Promise<readonly DatabaseEnd[]> =>
  backUpOnline(
    {
      version: adminVersionOf(VERSION),
      databases: names.map((name) => ({ name, aliases: [] })),
      from: ['graph:6362'],
      to,
      type: 'auto',
      report: folder,
      ...more,
    },
    world,
  );

/** What is free, question by question. */
const freeOnce =
  (...free: number[]) =>
  async (): Promise<number> =>
    free.shift() ?? Number.NaN;

const ranges = ({ chain = [] }: DatabaseEnd): string =>
  chain.map(({ lowest, highest }) => `${lowest}-${highest}`).join(' ');

/** A tool of that version, and who knows it. */
const of = (version: string, env: Readonly<Record<string, string>> = {}) =>
  [{ version: adminVersionOf(version) }, worldOf({ STANDIN_VERSION: version, ...env })] as const;

describe('neo4j-admin (a stand-in)', () => {
  it.each([
    ['5.24.0', 'backup inspect /x', 'Unmatched arguments: backup inspect'],
    ['2025.06.0', 'backup inspect --empty --show-metadata=x --json', 'Unknown option: --json'],
    ['2025.07.0', 'backup inspect --show-metadata --empty /x', 'Unknown option: --show-metadata'],
    ['5.23.0', 'database restore --temp-path=/x', 'Unknown option: --temp-path'],
    ['5.26.0', 'backup aggregate', 'Unmatched arguments: backup aggregate'],
    ['2025.01.0', 'database aggregate-backup', 'Unmatched arguments: database aggregate-backup'],
  ])('of %s refuses what its manual has not: %s', async (version, words, said) => {
    const line = { program: 'neo4j-admin', args: words.split(' ') } as const;
    const end = await worldOf({ STANDIN_VERSION: version }).run(line, never);
    expect([end.exitCode, end.said.trim()]).toEqual([64, said]);
  });

  it.each(['5.2.0', '5.24.0', '5.26.30', '2025.01.0', '2025.06.0', '2025.07.0', '2025.09.0', '2026.01.0'])(
    'of %s makes a full backup, then a differential one',
    async (version) => {
      const ends: DatabaseEnd[] = [];
      for (const highest of [5, 9]) {
        await at('orders', highest);
        ends.push(...(await take(['orders'], ...of(version))));
      }
      expect(ends.map((end) => [ranges(end), end.error])).toEqual([
        ['1-5', undefined],
        ['1-5 6-9', undefined],
      ]);
    },
  );

  it('makes a full backup, then differential ones, and each knows its whole chain', async () => {
    await at('orders', 5);
    const [first] = await take(['orders']);
    await at('orders', 9);
    const [second] = await take(['orders']);
    // Nothing was written since.
    const [third] = await take(['orders']);
    const [fourth] = await take(['orders'], { type: 'full' });
    expect([first, second, third, fourth].map((end) => ranges(end as DatabaseEnd))).toEqual([
      '1-5',
      '1-5 6-9',
      '1-5 6-9 0-0',
      '1-9',
    ]);
  });

  it('a full backup that is not recovered is not checked where the version takes none, and that is said', async () => {
    await at('orders', 5, { recovered: false });
    const [end] = await take(['orders']);
    expect([ranges(end as DatabaseEnd), end?.error]).toEqual(['1-5', undefined]);
    expect(end?.warnings).toEqual([
      'database orders: the full backup is not checked: neo4j-admin 2025.10 checks full backups that are recovered, and this one is not',
    ]);
    const [earlier] = await take(['orders'], { ...of('2025.08.0')[0], type: 'full' }, of('2025.08.0')[1]);
    expect([ranges(earlier as DatabaseEnd), earlier?.warnings]).toEqual(['1-5', []]);
  });

  it('what becomes of one database neither hides nor spoils the others', async () => {
    await Promise.all([
      at('alpha', 5),
      at('broken', 5, { broken: true }),
      at('half', 5),
      at('zeta', 7),
      at('system', 3),
    ]);
    const ends = await take(
      ['alpha', 'broken', 'gone', 'half', 'system', 'zeta'],
      {},
      worldOf({ STANDIN_FAIL: 'half' }),
    );
    expect(ends.map((end) => [end.name, ranges(end), end.error?.code ?? ''])).toEqual([
      ['alpha', '1-5', ''],
      ['broken', '', 'tool-failed'],
      ['gone', '', 'tool-failed'],
      // Its file was there, and is no backup.
      ['half', '', 'tool-failed'],
      ['system', '1-3', ''],
      ['zeta', '1-7', ''],
    ]);
    const said = ends.map(({ error }) => error?.message);
    expect(said[1]).toMatch(/^the check of broken ended with 1: Inconsistencies found/);
    expect(said[2]).toMatch(/^the backup of gone ended with 1: Database 'gone' does not exist/);
    expect(said[3]).toMatch(/^the backup of half ended with 1: .*succeeded with problems/);
  });

  it('a differential one without a chain, and a server that does not answer, are failures', async () => {
    await at('orders', 5);
    const [alone] = await take(['orders'], { type: 'differential' });
    expect(alone?.error?.message).toMatch(/No chain of 'orders' to continue/);
    const [nobody] = await take(['orders'], { from: ['nobody:6362'] });
    expect(nobody?.error?.message).toMatch(/Connection refused/);
    expect(await readdir(to)).toEqual([]);
  });

  it('room is looked at before: a backup that cannot fit is not begun', async () => {
    await at('orders', 5);
    await take(['orders']);
    const [end] = await take(['orders'], {}, worldOf({}, 10));
    expect(end?.error?.message).toMatch(/^10 bytes are free for a backup of orders, and the last took \d+$/);
    expect(await readdir(to)).toHaveLength(1);
  });

  it('a chain with a file missing in between is no backup', async () => {
    await at('orders', 5);
    await take(['orders']);
    await at('orders', 7);
    const [second] = await take(['orders']);
    await at('orders', 9);
    const [third] = await take(['orders']);
    expect(ranges(third as DatabaseEnd)).toBe('1-5 6-7 8-9');
    await rm(second?.chain?.at(-1)?.file ?? '');
    await at('orders', 11);
    const [fourth] = await take(['orders']);
    expect(fourth?.error).toMatchObject({ code: 'stream-broken' });
  });
});

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
    ['the version has it not', { STANDIN_VERSION: '5.1.0' }, of('5.1.0')[0], /neo4j-admin 5\.1 does not aggregate/],
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

/** As the manual shows it; the columns and rows are its own. */
const TABLE = `
|                                              FILE | DATABASE |                          DATABASE ID |          TIME (UTC) |  FULL | COMPRESSED | LOWEST TX | HIGHEST TX |
|  file:///backups/malmo-2024-10-07T16-01-24.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:01:24 |  true |       true |         1 |          8 |
|  file:///backups/malmo-2024-10-07T16-00-50.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:50 | false |       true |         0 |          0 |
|  file:///backups/malmo-2024-10-07T16-00-44.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:44 | false |       true |         7 |          7 |
|  file:///backups/malmo-2024-10-07T16-00-34.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:34 | false |       true |         6 |          6 |
|  file:///backups/malmo-2024-10-07T16-00-19.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:19 | false |       true |         0 |          0 |
|  file:///backups/malmo-2024-10-07T16-00-07.backup |    malmo | 62d1820c-3ac6-4b15-a0b3-bf7e7becc8d0 | 2024-10-07T16:00:07 |  true |       true |         1 |          5 |
| file:///backups/london-2024-10-07T16-03-51.backup |   london | d4dae73c-dfef-4d28-88cd-fe6cc88ddca1 | 2024-10-07T16:03:51 |  true |       true |         1 |          6 |
`;

describe('the table of inspect', () => {
  it('in the manual has a chain of each file', () => {
    const all = artifactsIn(TABLE);
    const seconds = (file: string): string => /16-\d\d-\d\d/.exec(file)?.[0] ?? '';
    expect(all.map((last) => chainOf(last, all).map(({ file }) => seconds(file)))).toEqual([
      ['16-01-24'],
      ['16-00-07', '16-00-34', '16-00-44', '16-00-50'],
      ['16-00-07', '16-00-34', '16-00-44'],
      ['16-00-07', '16-00-34'],
      ['16-00-07', '16-00-19'],
      ['16-00-07'],
      ['16-03-51'],
    ]);
  });

  it.each([
    ['of 2025.06, which has more columns,', TABLE.replaceAll(/ \|$/gm, ' | -116350002 | true |'), 7],
    ['of a folder without backups', '', 0],
  ])('%s is read', (_, table, count) => expect(artifactsIn(table)).toHaveLength(count));

  it('without a column that is needed is not guessed at', () => {
    expect(() => artifactsIn(TABLE.replaceAll('LOWEST TX', 'FIRST'))).toThrow(/no column LOWEST TX/);
  });

  it('with a gap has no chain', () => {
    const all = artifactsIn(TABLE).filter(({ highest }) => highest !== 6);
    const last = all.find(({ highest }) => highest === 7);
    expect(() => chainOf(last as (typeof all)[number], all)).toThrow(
      /needs a backup up to transaction 6, and none is there/,
    );
  });
});
