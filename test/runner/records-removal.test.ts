/** Removals of backups by who asks for it and by the pruner, with the registry and the store that are folders. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../runner/clock';
import { type DeleteContext, type DeleteOptions, deleteBackups } from '../../runner/commands/delete';
import { prune } from '../../runner/commands/prune';
import { FileLocks } from '../../runner/local/locks';
import { LocalRemover } from '../../runner/local/remover';
import type { StoredRecord } from '../../runner/ports';
import type { DirectoryRegistry } from '../../runner/registry/directory';
import { leaseName } from '../../src/contract';
import { FakeClock } from '../support/fake-clock';
import { gathered } from '../support/gathered';
import { record } from '../support/record';
import { LocalBackups, log, snapshotOf } from './records-fixture';

let backups: LocalBackups;
let folder: string;
let registry: DirectoryRegistry;
let remover: LocalRemover;
const clock = new FakeClock();
const holder = 'this test';
const policies = { list: async () => [] };
const uses = { stale: async () => [] };

beforeEach(async () => {
  backups = await LocalBackups.create();
  ({ folder, registry } = backups);
  remover = new LocalRemover({ clock: systemClock, log });
});
afterEach(() => backups[Symbol.asyncDispose]());

const locksOf = (): FileLocks => new FileLocks(join(folder, 'registry'));

/** Holds the database's lock, as a backup at work does. */
async function held(holder: string): Promise<AsyncDisposable> {
  const lease = await locksOf().acquire(leaseName('orders-db'), holder);
  return { [Symbol.asyncDispose]: () => lease.release() };
}

/** All that a deletion says. */
async function deleted(context: DeleteContext, names: readonly string[], options: DeleteOptions): Promise<string> {
  return (await gathered(deleteBackups(context, names, options))).map(({ line }) => line).join('');
}

describe('deleting backups', () => {
  const yes = async (): Promise<boolean> => true;

  it('takes its snapshots along, the record last', async () => {
    await backups.withSnapshot({ id: '20260101020000' });
    const good = await backups.withSnapshot({ id: '20260102020000' });
    const said = await deleted({ registry, remover, locksOf, clock, confirm: yes, holder, uses }, ['20260101020000'], {
      yes: false,
    });
    expect(said).toBe('backup shop/orders-db/20260101020000 deleted, with 1 snapshot\n');
    expect(await backups.exists('orders-db-data-20260101020000')).toBe(false);
    expect(await backups.phaseOf(record())).toBeUndefined();
    expect(await backups.exists(snapshotOf(good))).toBe(true);
  });

  it('asks first, and takes silence for no', async () => {
    await backups.withSnapshot({ id: '20260101020000' });
    const made = await backups.withSnapshot({ id: '20260102020000' });
    const context = { registry, remover, locksOf, clock, confirm: async () => false, holder, uses };
    await expect(deleted(context, ['20260102020000'], { yes: false })).rejects.toMatchObject({
      code: 'delete-refused',
    });
    expect(await backups.exists(snapshotOf(made))).toBe(true);
    expect(await backups.phaseOf(made)).toBe('succeeded');
  });

  it.each(['pending', 'freezing', 'cut'] as const)('rule 10: refuses one that is being made (%s)', async (phase) => {
    const made = await backups.withSnapshot({ phase });
    await using _ = await held('somebody else');
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    await expect(deleted(context, [made.id], { yes: true })).rejects.toMatchObject({ code: 'delete-refused' });
    expect(await backups.exists(snapshotOf(made))).toBe(true);
  });

  it.each(['pending', 'freezing', 'cut'] as const)('removes one whose runner is gone (%s)', async (phase) => {
    const made = await backups.withSnapshot({ phase });
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    await deleted(context, [made.id], { yes: true });
    expect(await backups.exists(snapshotOf(made))).toBe(false);
    expect(await backups.phaseOf(made)).toBeUndefined();
    await held('the next backup').then((lease) => lease[Symbol.asyncDispose]());
  });

  it('rule 10: refuses the last good one', async () => {
    const made = await backups.withSnapshot();
    await registry.create(record({ id: '20260102020000', phase: 'failed' }));
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    await expect(deleted(context, [made.id], { yes: true })).rejects.toMatchObject({
      code: 'delete-refused',
      // Nothing would find the snapshots of a file that was deleted by hand.
      hint: 'take another one first',
    });
    expect(await backups.exists(snapshotOf(made))).toBe(true);
  });

  it('rule 10: refuses all good ones at once, and leaves every one of them', async () => {
    await backups.withSnapshot({ id: '20260101020000' });
    await backups.withSnapshot({ id: '20260102020000' });
    await backups.withSnapshot({ id: '20260102020000', database: 'users-db' });
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    const both = ['orders-db/20260101020000', 'orders-db/20260102020000'];
    await expect(deleted(context, both, { yes: true })).rejects.toMatchObject({
      code: 'delete-refused',
      message: 'backup shop/orders-db/20260102020000 is the last good one of its database',
    });
    expect(await registry.list({ phases: ['succeeded'] })).toHaveLength(3);
  });

  it('takes several at once, each once, and newest first, and asks about all of them in one question', async () => {
    for (const day of ['01', '02', '03']) await backups.withSnapshot({ id: `202601${day}020000` });
    const asked: string[] = [];
    const confirm = async (question: string): Promise<boolean> => asked.push(question) > 0;
    const names = ['20260101020000', 'shop/orders-db/20260101020000', 'orders-db/20260102020000'];
    expect(await deleted({ registry, remover, locksOf, clock, confirm, holder, uses }, names, { yes: false })).toBe(
      'backup shop/orders-db/20260102020000 deleted, with 1 snapshot\nbackup shop/orders-db/20260101020000 deleted, with 1 snapshot\n',
    );
    expect(asked).toEqual([
      'delete these backups:\n  shop/orders-db/20260102020000 with 1 snapshot\n  shop/orders-db/20260101020000 with 1 snapshot\nThis cannot be undone.',
    ]);
  });

  it('with --dry-run says what it would do, asks nobody and touches nothing', async () => {
    const made = await backups.withSnapshot({ id: '20260101020000' });
    await backups.withSnapshot({ id: '20260102020000' });
    const confirm = async (): Promise<boolean> => expect.unreachable('nobody is asked');
    const options = { yes: false, dryRun: true };
    expect(await deleted({ registry, remover, locksOf, clock, confirm, holder, uses }, [made.id], options)).toBe(
      'backup shop/orders-db/20260101020000 would be deleted, with 1 snapshot\n',
    );
    expect(await backups.phaseOf(made)).toBe('succeeded');
    expect(await backups.exists(snapshotOf(made))).toBe(true);
    const all = ['20260101020000', '20260102020000'];
    await expect(
      deleted({ registry, remover, locksOf, clock, confirm, holder, uses }, all, options),
    ).rejects.toMatchObject({
      code: 'delete-refused',
    });
  });

  it('goes on with the others where one cannot be removed to the end', async () => {
    for (const day of ['01', '02', '03']) await backups.withSnapshot({ id: `202601${day}020000` });
    const stubborn = {
      remove: async ({ record: { id } }: StoredRecord) => (id === '20260101020000' ? ['snapshot x'] : []),
      removeLeftovers: async () => [],
    };
    const context = { registry, remover: stubborn, locksOf, clock, confirm: yes, holder, uses };
    await expect(deleted(context, ['20260101020000', '20260102020000'], { yes: true })).rejects.toMatchObject({
      code: 'delete-incomplete',
      message: expect.stringContaining('20260101020000'),
    });
    expect((await registry.list({})).map(({ record: { id, phase } }) => [id, phase])).toEqual([
      ['20260103020000', 'succeeded'],
      ['20260101020000', 'deleting'],
    ]);
  });

  it('rule 10: refuses one that is protected', async () => {
    await backups.withSnapshot({ id: '20260101020000', retention: { protected: true } });
    await backups.withSnapshot({ id: '20260102020000' });
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    await expect(deleted(context, ['20260101020000'], { yes: true })).rejects.toMatchObject({
      code: 'delete-refused',
    });
  });

  it('keeps listed what could not be removed', async () => {
    await backups.withSnapshot({ id: '20260101020000' });
    await backups.withSnapshot({ id: '20260102020000' });
    const stuck = { remove: async () => ['snapshot x'], removeLeftovers: async () => [] };
    await expect(
      deleted({ registry, remover: stuck, locksOf, clock, confirm: yes, holder, uses }, ['20260101020000'], {
        yes: true,
      }),
    ).rejects.toMatchObject({ code: 'delete-incomplete' });
    expect((await registry.get('shop', 'orders-db', '20260101020000'))?.record).toMatchObject({
      phase: 'deleting',
      leftovers: ['snapshot x'],
    });
    const { removed } = await prune({ registry, policies, uses, remover, clock, log, holder });
    expect(removed).toEqual(['shop/orders-db/20260101020000']);
    expect(await backups.exists('orders-db-data-20260101020000')).toBe(false);
  });
});

describe('pruning', () => {
  it('touches nothing but what is to be deleted', async () => {
    const kept = await backups.withSnapshot({ id: '20260101020000' });
    const failed = await backups.withSnapshot({ id: '20260102020000', phase: 'failed' });
    const gone = await backups.withSnapshot({ id: '20260103020000', phase: 'deleting' });
    expect(await prune({ registry, policies, uses, remover, clock, log, holder })).toEqual({
      removed: ['shop/orders-db/20260103020000'],
      cleaned: [],
      left: [],
    });
    expect([
      await backups.exists(snapshotOf(kept)),
      await backups.exists(snapshotOf(failed)),
      await backups.exists(snapshotOf(gone)),
    ]).toEqual([true, true, false]);
  });
});
