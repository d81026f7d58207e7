/** Removals where copies of records are kept: deletion, prune and copies are real, in folders; nobody but the pruner has the store. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../runner/clock';
import { copyRecords } from '../../runner/commands/copy-records';
import { deleteBackups } from '../../runner/commands/delete';
import { type PruneResult, prune } from '../../runner/commands/prune';
import { Handover } from '../../runner/handover';
import type { Clock, Remover } from '../../runner/ports';
import { DirectoryRegistry } from '../../runner/registry/directory';
import { openStore } from '../../runner/storage';
import { FakeClock } from '../support/fake-clock';
import { QuietLog } from '../support/quiet-log';
import { record } from '../support/record';
import { recordWith } from '../support/records';

const [OLDER, NEWER, NEWEST] = ['20260101020000', '20260102020000', '20260103020000'];

let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-handover-'));
  for (const each of ['records', 'store']) await mkdir(join(folder, each));
  log = new QuietLog();
  registry = new DirectoryRegistry(join(folder, 'records'), log);
  for (const id of [OLDER, NEWER, NEWEST]) await registry.create(record({ id, cuts: recordWith().cuts }));
  await copied([]);
});
afterEach(() => rm(folder, { recursive: true }));

const remover: Remover = { remove: async () => [], removeLeftovers: async () => [] };
const world = () => ({
  ...{ registry, remover, log, uses: { stale: async () => [] }, policies: { list: async () => [] } },
  clock: systemClock,
});

async function copied(gone: readonly string[]): Promise<void> {
  const place = { kind: 'directory', directory: { path: join(folder, 'store'), volume: 'copies' } } as const;
  await copyRecords({
    ...{ registry, gone, log, clock: systemClock, runnerVersion: 'test', signal: new AbortController().signal },
    owner: { registry: 'stillpoint', uid: 'uid-1' },
    store: await openStore(place, { clock: systemClock, random: Math.random, environment: {} }),
    source: { handles: async () => [{ volume: 'data', driver: 'disk.test', handle: 'snap-1' }] },
  });
}

/** What the pruner's pod does when it is asked. */
async function pruned(): Promise<PruneResult> {
  const result = await prune({ ...world(), holder: 'the pruner' });
  await copied(result.removed);
  return result;
}

async function copies(): Promise<readonly string[]> {
  const entries = await readdir(join(folder, 'store'), { recursive: true });
  return entries.flatMap((name) => /(\d{14})\.yaml$/.exec(name)?.[1] ?? []).sort();
}

async function deleted(
  ids: readonly string[],
  ask: () => Promise<void>,
  clock: Clock = systemClock,
): Promise<readonly string[]> {
  const handover = new Handover({ registry, pruner: { ask }, clock });
  const more = { holder: 'a person', handover, confirm: async () => true, locksOf: () => ({}) as never };
  const lines: string[] = [];
  for await (const { line } of deleteBackups({ ...world(), ...more }, ids, { yes: true })) lines.push(line);
  return lines;
}

const left = async () => (await registry.list({})).map(({ record: { id, phase } }) => `${id} ${phase}`);

test('a backup that is deleted takes the copy of its record along: one prune is asked for, for all', async () => {
  let asked = 0;
  const lines = await deleted([OLDER, NEWER], async () => {
    asked++;
    expect(await left()).toEqual([`${NEWEST} succeeded`, `${NEWER} deleting`, `${OLDER} deleting`]);
    await pruned();
  });
  expect(lines).toEqual([NEWER, OLDER].map((id) => `backup shop/orders-db/${id} deleted, with 1 snapshot\n`));
  expect([asked, await left(), await copies()]).toEqual([1, [`${NEWEST} succeeded`], [NEWEST]]);
});

test('as long as no prune has come, it is not said to be deleted; the next one takes record and copy', async () => {
  const clock = new FakeClock();
  const nobody = async (): Promise<void> => void setImmediate(() => clock.advance(120_000));
  await expect(deleted([OLDER, NEWER], nobody, clock)).rejects.toMatchObject({
    code: 'delete-incomplete',
    message: expect.stringMatching(
      new RegExp(`${NEWER} there is still its record.*no prune has come within 120 s; of backup .*${OLDER}`),
    ),
    hint: expect.stringContaining('the next prune takes both'),
  });
  expect(await copies()).toEqual([OLDER, NEWER, NEWEST]);
  expect((await pruned()).removed).toHaveLength(2);
  expect([await left(), await copies()]).toEqual([[`${NEWEST} succeeded`], [NEWEST]]);
  expect(clock.armed).toBe(0);
});

test('why nobody can be asked is said', async () => {
  const forbidden = () => Promise.reject(new Error('deployments/scale is forbidden'));
  await expect(deleted([OLDER], forbidden)).rejects.toMatchObject({
    code: 'delete-incomplete',
    message: expect.stringContaining('the pruner cannot be asked: deployments/scale is forbidden'),
  });
});

test('a prune from a terminal leaves the records to the pruner too, and counts what that could not remove as left', async () => {
  const [older] = (await registry.list({})).toReversed();
  if (older === undefined) throw new Error('there is no record');
  await registry.update(older, { ...older.record, phase: 'deleting' });
  const by = async (ask: () => Promise<void>): Promise<PruneResult> =>
    await prune({
      ...world(),
      ...{ holder: 'a person', handover: new Handover({ registry, pruner: { ask }, clock: systemClock }) },
    });
  const failed = await by(async () => {
    const [stored] = (await registry.list({})).toReversed();
    if (stored !== undefined) await registry.update(stored, { ...stored.record, leftovers: ['volumesnapshot/stuck'] });
  });
  expect(failed).toMatchObject({ removed: [], left: [`shop/orders-db/${OLDER}`] });
  expect(log.lines.map(({ message }) => message)).toContainEqual(
    expect.stringContaining('the pruner could not remove volumesnapshot/stuck'),
  );
  expect(await by(async () => void (await pruned()))).toMatchObject({ removed: [`shop/orders-db/${OLDER}`], left: [] });
  expect(await copies()).toEqual([NEWER, NEWEST]);
});

test('a dump has no such copy, and its record goes at once', async () => {
  await registry.create(record({ id: '20251231020000', mode: 'dump', cuts: [] }));
  const nobody = () => Promise.reject(new Error('nobody is asked'));
  expect(await deleted(['20251231020000'], nobody)).toHaveLength(1);
  expect(await left()).toHaveLength(3);
});

test('what the pruner cannot remove of one backup says nothing of another, for which it still comes', async () => {
  const lines: string[] = [];
  const half = async (): Promise<void> => {
    const [newer, older] = await Promise.all([NEWER, OLDER].map((id) => registry.get('shop', 'orders-db', id)));
    if (newer === undefined || older === undefined) throw new Error('no record');
    await registry.update(newer, { ...newer.record, leftovers: ['snapshot data'] });
    // The pruner comes to the other one a while later.
    setImmediate(() => void registry.remove(older));
  };
  const handover = new Handover({ registry, pruner: { ask: half }, clock: systemClock });
  const more = { holder: 'a person', handover, confirm: async () => true, locksOf: () => ({}) as never };
  const all = async (): Promise<void> => {
    for await (const { line } of deleteBackups({ ...world(), ...more }, [OLDER, NEWER], { yes: true }))
      lines.push(line);
  };
  await expect(all()).rejects.toMatchObject({
    code: 'delete-incomplete',
    message: expect.stringMatching(new RegExp(`${NEWER}.*the pruner could not remove snapshot data`)),
  });
  expect(lines).toEqual([`backup shop/orders-db/${OLDER} deleted, with 1 snapshot\n`]);
});
