/** Finding a backup by its name, and waiting for it, with a registry that is a folder. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../runner/clock';
import { describe as describeBackup } from '../../runner/commands/describe';
import { verdict, type WaitOptions, wait } from '../../runner/commands/wait';
import { findRecord } from '../../runner/find-record';
import type { DirectoryRegistry } from '../../runner/registry/directory';
import { FakeClock } from '../support/fake-clock';
import { gathered } from '../support/gathered';
import { record } from '../support/record';
import { LocalBackups, never } from './records-fixture';

let backups: LocalBackups;
let registry: DirectoryRegistry;
const clock = new FakeClock();

beforeEach(async () => {
  backups = await LocalBackups.create();
  ({ registry } = backups);
});
afterEach(() => backups[Symbol.asyncDispose]());

describe('finding a backup', () => {
  beforeEach(async () => {
    await registry.create(record({ id: '20260101020000' }));
    await registry.create(record({ id: '20260102020000' }));
    await registry.create(record({ id: '20260103020000', phase: 'failed' }));
    await registry.create(record({ id: '20260101020000', database: 'users-db' }));
  });

  it.each([
    ['latest', { database: 'orders-db' }, 'shop/orders-db/20260102020000'],
    ['orders-db/latest', {}, 'shop/orders-db/20260102020000'],
    ['shop/orders-db/20260103020000', {}, 'shop/orders-db/20260103020000'],
    ['20260102020000', {}, 'shop/orders-db/20260102020000'],
  ])('%s %j is %s', async (name, filter, expected) => {
    const found = (await findRecord(registry, name, filter)).record;
    expect(`${found.namespace}/${found.database}/${found.id}`).toBe(expected);
  });

  it.each([
    ['latest', {}, 'usage-invalid'],
    ['20260101020000', {}, 'usage-invalid'],
    ['20300101020000', {}, 'backup-not-found'],
    ['users-db/20260102020000', {}, 'backup-not-found'],
    ['a/b/c/20260101020000', {}, 'usage-invalid'],
    ['yesterday', {}, 'usage-invalid'],
  ])('%s %j is refused: %s', async (name, filter, code) => {
    await expect(findRecord(registry, name, filter)).rejects.toMatchObject({ code });
  });

  it('shows one as text, YAML and JSON', async () => {
    const show = (output: 'table' | 'json' | 'yaml'): Promise<string> =>
      describeBackup({ registry, clock }, 'users-db/latest', { output });
    expect(await show('table')).toMatch(/^Backup: +20260101020000\nNamespace: +shop\nDatabase: +users-db\n/);
    expect(JSON.parse(await show('json'))).toMatchObject({ database: 'users-db' });
    expect(await show('yaml')).toContain('database: users-db');
  });
});

/** What a wait for one backup says. */
async function waited(context: Parameters<typeof wait>[0], name: string, options: WaitOptions): Promise<string> {
  return (await gathered(wait(context, [name], options))).map(({ line }) => line).join('');
}

describe('waiting for a backup', () => {
  it.each([
    ['pending', 'succeeded', false],
    ['cut', 'cut', true],
    ['succeeded', 'cut', true],
    ['succeeded', 'succeeded', true],
    ['succeeded', 'ready', true],
    ['cut', 'ready', false],
    ['failed', 'failed', true],
    ['freezing', 'failed', false],
    ['succeeded', 'deleted', false],
  ] as const)('in phase %s for %s: %s', (phase, condition, come) => {
    expect(verdict(record({ phase }), condition, 'x')).toBe(come);
  });

  it.each([
    ['failed', 'succeeded'],
    ['failed', 'cut'],
    ['succeeded', 'failed'],
    ['deleting', 'succeeded'],
  ] as const)('in phase %s for %s: impossible', (phase, condition) => {
    expect(() => verdict(record({ phase }), condition, 'x')).toThrowError(
      expect.objectContaining({ code: 'wait-impossible' }),
    );
  });

  it('latest is the newest of any state: not the last good one when another has been begun', async () => {
    await registry.create(record({ id: '20260101020000' }));
    await registry.create(record({ id: '20260102020000', phase: 'failed' }));
    const options = { for: 'succeeded', timeoutMs: 30_000 } as const;
    await expect(waited({ registry, clock: systemClock, signal: never }, 'latest', options)).rejects.toMatchObject({
      code: 'wait-impossible',
      message: expect.stringContaining('20260102020000'),
    });
  });

  it('follows the record until it has come', async () => {
    const stored = await registry.create(record({ phase: 'freezing' }));
    const waiting = waited({ registry, clock: systemClock, signal: never }, '20260101020000', {
      for: 'succeeded',
      timeoutMs: 30_000,
    });
    await registry.update(stored, record({ phase: 'succeeded' }));
    expect(await waiting).toBe('backup shop/orders-db/20260101020000 succeeded\n');
  });

  it('waits for the record of a backup that was begun just now, if it has its whole name', async () => {
    await registry.create(record({ id: '20251231000000' }));
    const id = '20260101000000';
    const options = { for: 'succeeded', timeoutMs: 30_000 } as const;
    const context = { registry, clock, signal: never };
    const waiting = waited(context, `shop/orders-db/${id}`, options);
    while (clock.armed === 0) await new Promise((resolve) => setImmediate(resolve));
    await registry.create(record({ id }));
    expect(await waiting).toBe(`backup shop/orders-db/${id} succeeded\n`);
    // What was never there is not waited for to be gone, nor is a name that leaves something open.
    for (const [name, condition] of [
      ['shop/other-db/20260101000000', 'deleted'],
      ['other-db/20260101000000', 'succeeded'],
      ['shop/other-db/latest', 'succeeded'],
      ['shop/other-db/20251231220000', 'succeeded'],
    ] as const) {
      await expect(waited(context, name, { ...options, for: condition })).rejects.toMatchObject({
        code: 'backup-not-found',
      });
    }
  });

  it('says in the end that there never was a record', async () => {
    await registry.create(record({ id: '20251231000000' }));
    const options = { for: 'succeeded', timeoutMs: 1000 } as const;
    const waiting = waited({ registry, clock, signal: never }, 'shop/orders-db/20260101000000', options);
    waiting.catch(() => undefined);
    while (clock.armed === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    await expect(waiting).rejects.toMatchObject({
      code: 'wait-timeout',
      message: expect.stringContaining('was not on record in time'),
    });
  });

  it('gives up in time', async () => {
    await registry.create(record({ phase: 'freezing' }));
    const waiting = waited({ registry, clock, signal: never }, '20260101020000', { for: 'succeeded', timeoutMs: 1000 });
    waiting.catch(() => undefined);
    while (clock.armed === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    await expect(waiting).rejects.toMatchObject({ code: 'wait-timeout', exitCode: 8 });
  });
});
