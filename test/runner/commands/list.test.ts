/** `list`: what is shown, in which order, as what. The records are files in a folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ListOptions, list } from '../../../runner/commands/list';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { BackupRecord } from '../../../src/contract';
import { FakeClock } from '../../support/fake-clock';
import { gathered } from '../../support/gathered';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

let folder: string;
let registry: DirectoryRegistry;
let notes: string[];
const clock = new FakeClock();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-list-'));
  registry = new DirectoryRegistry(folder, new QuietLog());
  notes = [];
  for (const made of [
    record({ id: '20260101020000', freezeWindowMs: 900, freezes: 'writes' }),
    record({
      id: '20260103020000',
      phase: 'failed',
      error: { code: 'cut-failed', message: 'x', at: '2026-01-03T02:00:09Z' },
    }),
    record({ id: '20260102020000', freezeWindowMs: 40, freezes: 'writes', trigger: 'manual' }),
    record({ id: '20260102030000', database: 'orders', engine: 'redis' }),
    record({ id: '20260102010000', namespace: 'bank' }),
  ]) {
    await registry.create(made);
  }
});
afterEach(() => rm(folder, { recursive: true }));

async function listed(options: Partial<ListOptions> = {}): Promise<string> {
  const context = { registry, clock, note: (text: string) => void notes.push(text) };
  return (await gathered(list(context, { output: 'name', ...options }))).join('');
}

/** The namespace's first letter, the database and the day and hour of each. */
const names = async (options: Partial<ListOptions> = {}): Promise<string> =>
  (await listed(options))
    .trim()
    .replaceAll('\n', ' ')
    .replace(/202601(\d\d)(\d\d)\d{4}/g, '$1-$2');

const BY_DATABASE =
  'bank/orders-db/02-01 shop/orders-db/03-02 shop/orders-db/02-02 shop/orders-db/01-02 shop/orders/02-03';

describe('list', () => {
  it.each<[string, Partial<ListOptions>, string]>([
    ['by database, the newest first', {}, BY_DATABASE],
    ['one namespace', { namespace: 'bank' }, 'bank/orders-db/02-01'],
    ['one database', { namespace: 'shop', database: 'orders' }, 'shop/orders/02-03'],
    ['one engine', { engine: 'redis' }, 'shop/orders/02-03'],
    ['one status', { statuses: ['failed'] }, 'shop/orders-db/03-02'],
    [
      'since then',
      { since: new Date('2026-01-02T02:00:00Z') },
      'shop/orders-db/03-02 shop/orders-db/02-02 shop/orders/02-03',
    ],
    ['before then', { until: new Date('2026-01-02T01:00:00Z') }, 'shop/orders-db/01-02'],
    [
      'by age',
      { sortBy: 'age' },
      'shop/orders-db/03-02 shop/orders/02-03 shop/orders-db/02-02 bank/orders-db/02-01 shop/orders-db/01-02',
    ],
    [
      'by engine',
      { sortBy: 'engine', since: new Date('2026-01-02T02:00:00Z') },
      'shop/orders-db/03-02 shop/orders-db/02-02 shop/orders/02-03',
    ],
    [
      'by status',
      { sortBy: 'status', namespace: 'shop', database: 'orders-db' },
      'shop/orders-db/02-02 shop/orders-db/01-02 shop/orders-db/03-02',
    ],
    [
      'by how long it stood still',
      { sortBy: 'held', namespace: 'shop', database: 'orders-db' },
      'shop/orders-db/01-02 shop/orders-db/02-02 shop/orders-db/03-02',
    ],
  ])('%s', async (_, options, expected) => {
    expect(await names(options)).toBe(expected);
  });

  it.each<[statuses: ListOptions['statuses'], expected: string]>([
    [['succeeded'], 'bank/orders-db/02-01'],
    [['missing'], 'bank/orders-db/04-01'],
    [['succeeded', 'missing'], 'bank/orders-db/04-01 bank/orders-db/02-01'],
    [['failed'], ''],
  ])('chooses by the status that is shown, not by what lies under it: %s', async (statuses, expected) => {
    const look = { at: '2026-01-05T00:00:00.000Z', missing: ['snapshot snap-1'] };
    const imported = { at: '2026-01-04T00:00:00.000Z', from: {}, ownsData: false, look };
    await registry.create(record({ id: '20260104010000', namespace: 'bank', imported }));
    const shown = await listed({ namespace: 'bank', output: 'table', headers: false, statuses });
    for (const output of ['name', 'wide', 'json', 'yaml'] as const) {
      const text = await listed({ namespace: 'bank', output, headers: false, statuses });
      const ids = new Set(text.match(/2026010\d0[12]0000/g));
      expect([...ids], output).toEqual(shown.match(/2026010\d0[12]0000/g) ?? []);
    }
    expect(await names({ namespace: 'bank', statuses })).toBe(expected);
    for (const line of shown.split('\n').filter(Boolean)) expect(statuses).toContain(line.split(/ +/)[2]);
  });

  it('prints a table as kubectl does: the namespace only where there may be several', async () => {
    const one = await listed({ namespace: 'shop', database: 'orders', output: 'table' });
    expect(one).toMatch(
      /^DATABASE {3}BACKUP {11}STATUS {6}ENGINE {3}TRIGGER {5}AGE\norders {5}20260102030000 {3}succeeded {3}redis {4}scheduled {3}\d+\w+\n$/,
    );
    expect(await listed({ output: 'table' })).toMatch(/^NAMESPACE {3}DATABASE {4}BACKUP/);
    expect(await listed({ namespace: 'bank', output: 'table', headers: false })).toMatch(/^orders-db {3}2026/);
  });

  it('says in a wide one what stood still for how long, and what went wrong', async () => {
    const wide = await listed({ namespace: 'shop', database: 'orders-db', output: 'wide' });
    expect(wide).toMatch(/AGE +KIND +HELD +LAYOUT +VERSION +SNAPSHOTS +LOCATION +SIZE +ERROR\n/);
    expect(wide).toMatch(/20260101020000 .* 900 ms \(writes\) /);
    expect(wide).toMatch(/20260103020000 .* cut-failed\n/);
  });

  it('has colours only where it is told so', async () => {
    expect(await listed({ output: 'table', colours: true })).toContain('\u001b[31mfailed\u001b[39m   ');
    expect(await listed({ output: 'table' })).not.toContain('\u001b');
  });

  it.each([undefined, 'age'] as const)('prints whole records as one document, sorted by %s', async (sortBy) => {
    const ids = (records: readonly BackupRecord[]): string => records.map(({ id }) => id.slice(6, 10)).join(' ');
    const expected = sortBy === undefined ? '0201 0302 0202 0102 0203' : '0302 0203 0202 0201 0102';
    expect(ids(JSON.parse(await listed({ output: 'json', sortBy })))).toBe(expected);
    expect(ids(parse(await listed({ output: 'yaml', sortBy })))).toBe(expected);
  });

  it.each([
    ['json', '[]\n'],
    ['yaml', '[]\n'],
    ['table', ''],
    ['wide', ''],
    ['name', ''],
  ] as const)(
    'prints nothing of nothing as %s, and says so on the side where people read',
    async (output, expected) => {
      expect(await listed({ output, database: 'none', namespace: 'shop' })).toBe(expected);
      expect(notes).toEqual(expected === '' ? ['No backups of none found in namespace shop.'] : []);
    },
  );
});
