/** Online backups one by one, by a stand-in for neo4j-admin (tool-standin.ts). */
import { readdir, rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DatabaseEnd } from '../../../../../runner/engines/neo4j/enterprise/online-backup';
import { never, ranges, ToolStandin } from './tool-standin';

let tool: ToolStandin;
let to: string;

beforeEach(async () => {
  tool = await ToolStandin.create();
  ({ to } = tool);
});
afterEach(() => tool[Symbol.asyncDispose]());

const at: ToolStandin['at'] = (...args) => tool.at(...args);
const take: ToolStandin['take'] = (...args) => tool.take(...args);
const worldOf: ToolStandin['world'] = (...args) => tool.world(...args);
const of: ToolStandin['of'] = (version) => tool.of(version);

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
