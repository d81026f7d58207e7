/** The commands on records, with the registry and the store that are folders. */
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../runner/clock';
import { type DeleteContext, type DeleteOptions, deleteBackups } from '../../runner/commands/delete';
import { describe as describeBackup } from '../../runner/commands/describe';
import { prune } from '../../runner/commands/prune';
import { sweep } from '../../runner/commands/sweep';
import { verdict, type WaitOptions, wait } from '../../runner/commands/wait';
import { findRecord } from '../../runner/find-record';
import { FileLocks } from '../../runner/local/locks';
import { LocalRemover } from '../../runner/local/remover';
import type { StoredRecord } from '../../runner/ports';
import { DirectoryRegistry } from '../../runner/registry/directory';
import { DirectorySnapshotStore } from '../../runner/snapshots/directory';
import { type BackupRecord, leaseName } from '../../src/contract';
import { FakeClock } from '../support/fake-clock';
import { gathered } from '../support/gathered';
import { QuietLog } from '../support/quiet-log';
import { record } from '../support/record';

let folder: string;
let registry: DirectoryRegistry;
let store: DirectorySnapshotStore;
let remover: LocalRemover;
const log = new QuietLog();
const clock = new FakeClock();
const never = new AbortController().signal;
const holder = 'this test';
const policies = { list: async () => [] };
const uses = { stale: async () => [] };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-records-'));
  registry = new DirectoryRegistry(join(folder, 'registry'), log);
  store = new DirectorySnapshotStore(join(folder, 'snapshots'), { clock: systemClock, log });
  remover = new LocalRemover({ clock: systemClock, log });
});
afterEach(() => rm(folder, { recursive: true }));

/** A record whose snapshot is really there: a folder with one file in it. */
async function withSnapshot(changes: Partial<BackupRecord> = {}): Promise<BackupRecord> {
  const made = record(changes);
  const source = join(folder, 'data');
  await mkdir(source, { recursive: true });
  await writeFile(join(source, 'file'), 'content');
  const cuts = await store.cut(
    {
      id: made.id,
      database: made.database,
      volumes: [{ name: 'data', role: 'data', claim: source, namespace: '' }],
      how: 'individually',
      labels: { 'stillpoint.dev/backup': made.id },
      annotations: { 'stillpoint.dev/job-uid': made.owner.jobUid },
    },
    never,
  );
  const complete = { ...made, cuts, plannedSnapshots: cuts.map(({ snapshot }) => snapshot), ...changes };
  await registry.create(complete);
  return complete;
}

const locksOf = (): FileLocks => new FileLocks(join(folder, 'registry'));

/** Holds the database's lock, as a backup at work does. */
async function held(holder: string): Promise<AsyncDisposable> {
  const lease = await locksOf().acquire(leaseName('orders-db'), holder);
  return { [Symbol.asyncDispose]: () => lease.release() };
}

const exists = (name: string): Promise<boolean> =>
  access(join(folder, 'snapshots', name)).then(
    () => true,
    () => false,
  );
const snapshotOf = ({ database, id }: BackupRecord): string => `${database}-data-${id}`;
const phaseOf = async ({ namespace, database, id }: BackupRecord): Promise<string | undefined> =>
  (await registry.get(namespace, database, id))?.record.phase;

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

/** All that a deletion says. */
async function deleted(context: DeleteContext, names: readonly string[], options: DeleteOptions): Promise<string> {
  return (await gathered(deleteBackups(context, names, options))).map(({ line }) => line).join('');
}

describe('deleting backups', () => {
  const yes = async (): Promise<boolean> => true;

  it('takes its snapshots along, the record last', async () => {
    await withSnapshot({ id: '20260101020000' });
    const good = await withSnapshot({ id: '20260102020000' });
    const said = await deleted({ registry, remover, locksOf, clock, confirm: yes, holder, uses }, ['20260101020000'], {
      yes: false,
    });
    expect(said).toBe('backup shop/orders-db/20260101020000 deleted, with 1 snapshot\n');
    expect(await exists('orders-db-data-20260101020000')).toBe(false);
    expect(await phaseOf(record())).toBeUndefined();
    expect(await exists(snapshotOf(good))).toBe(true);
  });

  it('asks first, and takes silence for no', async () => {
    await withSnapshot({ id: '20260101020000' });
    const made = await withSnapshot({ id: '20260102020000' });
    const context = { registry, remover, locksOf, clock, confirm: async () => false, holder, uses };
    await expect(deleted(context, ['20260102020000'], { yes: false })).rejects.toMatchObject({
      code: 'delete-refused',
    });
    expect(await exists(snapshotOf(made))).toBe(true);
    expect(await phaseOf(made)).toBe('succeeded');
  });

  it.each(['pending', 'freezing', 'cut'] as const)('rule 10: refuses one that is being made (%s)', async (phase) => {
    const made = await withSnapshot({ phase });
    await using _ = await held('somebody else');
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    await expect(deleted(context, [made.id], { yes: true })).rejects.toMatchObject({ code: 'delete-refused' });
    expect(await exists(snapshotOf(made))).toBe(true);
  });

  it.each(['pending', 'freezing', 'cut'] as const)('removes one whose runner is gone (%s)', async (phase) => {
    const made = await withSnapshot({ phase });
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    await deleted(context, [made.id], { yes: true });
    expect(await exists(snapshotOf(made))).toBe(false);
    expect(await phaseOf(made)).toBeUndefined();
    await held('the next backup').then((lease) => lease[Symbol.asyncDispose]());
  });

  it('rule 10: refuses the last good one', async () => {
    const made = await withSnapshot();
    await registry.create(record({ id: '20260102020000', phase: 'failed' }));
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    await expect(deleted(context, [made.id], { yes: true })).rejects.toMatchObject({
      code: 'delete-refused',
      // Nothing would find the snapshots of a file that was deleted by hand.
      hint: 'take another one first',
    });
    expect(await exists(snapshotOf(made))).toBe(true);
  });

  it('rule 10: refuses all good ones at once, and leaves every one of them', async () => {
    await withSnapshot({ id: '20260101020000' });
    await withSnapshot({ id: '20260102020000' });
    await withSnapshot({ id: '20260102020000', database: 'users-db' });
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    const both = ['orders-db/20260101020000', 'orders-db/20260102020000'];
    await expect(deleted(context, both, { yes: true })).rejects.toMatchObject({
      code: 'delete-refused',
      message: 'backup shop/orders-db/20260102020000 is the last good one of its database',
    });
    expect(await registry.list({ phases: ['succeeded'] })).toHaveLength(3);
  });

  it('takes several at once, each once, and newest first, and asks about all of them in one question', async () => {
    for (const day of ['01', '02', '03']) await withSnapshot({ id: `202601${day}020000` });
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
    const made = await withSnapshot({ id: '20260101020000' });
    await withSnapshot({ id: '20260102020000' });
    const confirm = async (): Promise<boolean> => expect.unreachable('nobody is asked');
    const options = { yes: false, dryRun: true };
    expect(await deleted({ registry, remover, locksOf, clock, confirm, holder, uses }, [made.id], options)).toBe(
      'backup shop/orders-db/20260101020000 would be deleted, with 1 snapshot\n',
    );
    expect(await phaseOf(made)).toBe('succeeded');
    expect(await exists(snapshotOf(made))).toBe(true);
    const all = ['20260101020000', '20260102020000'];
    await expect(
      deleted({ registry, remover, locksOf, clock, confirm, holder, uses }, all, options),
    ).rejects.toMatchObject({
      code: 'delete-refused',
    });
  });

  it('goes on with the others where one cannot be removed to the end', async () => {
    for (const day of ['01', '02', '03']) await withSnapshot({ id: `202601${day}020000` });
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
    await withSnapshot({ id: '20260101020000', retention: { protected: true } });
    await withSnapshot({ id: '20260102020000' });
    const context = { registry, remover, locksOf, clock, confirm: yes, holder, uses };
    await expect(deleted(context, ['20260101020000'], { yes: true })).rejects.toMatchObject({
      code: 'delete-refused',
    });
  });

  it('keeps listed what could not be removed', async () => {
    await withSnapshot({ id: '20260101020000' });
    await withSnapshot({ id: '20260102020000' });
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
    expect(await exists('orders-db-data-20260101020000')).toBe(false);
  });
});

describe('pruning', () => {
  it('touches nothing but what is to be deleted', async () => {
    const kept = await withSnapshot({ id: '20260101020000' });
    const failed = await withSnapshot({ id: '20260102020000', phase: 'failed' });
    const gone = await withSnapshot({ id: '20260103020000', phase: 'deleting' });
    expect(await prune({ registry, policies, uses, remover, clock, log, holder })).toEqual({
      removed: ['shop/orders-db/20260103020000'],
      cleaned: [],
      left: [],
    });
    expect([await exists(snapshotOf(kept)), await exists(snapshotOf(failed)), await exists(snapshotOf(gone))]).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe('rule 11: what earlier runners left', () => {
  const run = { id: '20260105020000', owner: { jobUid: 'job-5' }, trigger: 'scheduled' } as const;
  const sweepAll = (): Promise<void> => sweep({ registry, store, clock: systemClock, log, run }, 'shop', 'orders-db');

  it.each(['pending', 'freezing'] as const)('a record in phase %s fails, and its snapshots go', async (phase) => {
    const made = await withSnapshot({ phase });
    await sweepAll();
    expect((await registry.get('shop', 'orders-db', made.id))?.record).toMatchObject({
      phase: 'failed',
      error: { code: 'runner-lost' },
    });
    expect(await exists(snapshotOf(made))).toBe(false);
  });

  it('a record whose cuts were proven is finished', async () => {
    const made = await withSnapshot({ phase: 'cut' });
    await sweepAll();
    expect(await phaseOf(made)).toBe('succeeded');
    expect(await exists(snapshotOf(made))).toBe(true);
  });

  it('a record whose snapshots are gone meanwhile is no backup', async () => {
    const made = await withSnapshot({ phase: 'cut' });
    await rm(join(folder, 'snapshots', snapshotOf(made)), { recursive: true });
    await sweepAll();
    expect((await registry.get('shop', 'orders-db', made.id))?.record).toMatchObject({
      phase: 'failed',
      error: { code: 'cut-lost' },
    });
  });

  it("another database's and the own Job's records are left alone", async () => {
    const own = await withSnapshot({ phase: 'freezing', owner: { jobUid: 'job-5' } });
    const other = await withSnapshot({ phase: 'freezing', database: 'users-db' });
    await sweepAll();
    expect([await phaseOf(own), await phaseOf(other)]).toEqual(['freezing', 'freezing']);
  });
});
