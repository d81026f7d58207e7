/** A copy of a record that its store does not let go: prunes over a real folder of records, and a stand-in of S3 on a loopback port. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { copyRecords } from '../../../runner/commands/copy-records';
import { type PruneResult, prune } from '../../../runner/commands/prune';
import type { Remover } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { openStore } from '../../../runner/storage';
import type { ObjectStore } from '../../../runner/storage/object-store';
import { CopiesRemover } from '../../../runner/travel/copies-remover';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { recordWith } from '../../support/records';
import { S3StandIn } from '../../support/s3-standin';

const [OLDER, NEWER] = ['20260101020000', '20260102020000'];
const keyOf = (id: string): string => `registry/shop/orders-db/${id}.yaml`;
const pathOf = (id: string): string => `shop/orders-db/${id}`;
const OWNER = { registry: 'stillpoint', uid: 'uid-1' };

let folder: string;
let registry: DirectoryRegistry;
let s3: S3StandIn;
let log: QuietLog;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-copies-'));
  for (const each of ['records', 'keys']) await mkdir(join(folder, each));
  await writeFile(join(folder, 'keys', 'AWS_ACCESS_KEY_ID'), 'me');
  await writeFile(join(folder, 'keys', 'AWS_SECRET_ACCESS_KEY'), 'mine');
  log = new QuietLog();
  registry = new DirectoryRegistry(join(folder, 'records'), log);
  s3 = await S3StandIn.start();
  for (const id of [OLDER, NEWER]) await registry.create(record({ id, cuts: recordWith().cuts }));
  await copied();
});
afterEach(async () => {
  await s3[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const open = (): Promise<ObjectStore> =>
  openStore(
    {
      kind: 's3',
      s3: { bucket: 'backups', endpoint: s3.endpoint, pathStyle: true },
      credentialsDirectory: join(folder, 'keys'),
      patienceSeconds: 1,
    },
    { clock: systemClock, random: Math.random, environment: {} },
  );

async function copied(gone: readonly string[] = []): Promise<void> {
  const source = { handles: async () => [{ volume: 'data', driver: 'disk.test', handle: 'snap-1' }] };
  const world = { registry, gone, log, clock: systemClock, runnerVersion: 'test', signal: AbortSignal.timeout(60_000) };
  await copyRecords({ ...world, owner: OWNER, store: await open(), source });
}

/** What the pruner's pod does: in a process of its own, so that nothing is known from the one before. */
async function pruned({ uid = OWNER.uid, snapshots = [] as readonly string[] } = {}): Promise<PruneResult> {
  const data: Remover = { remove: async () => snapshots, removeLeftovers: async () => [] };
  const remover = new CopiesRemover(
    data,
    { open, owner: async () => ({ ...OWNER, uid }) },
    { clock: systemClock, log },
  );
  const world = { policies: { list: async () => [] }, uses: { stale: async () => [] }, clock: systemClock, log };
  const result = await prune({ ...world, registry, remover, holder: 'this test' });
  if (uid === OWNER.uid) await copied(result.removed);
  return result;
}

async function doom(...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const stored = await registry.get('shop', 'orders-db', id);
    if (stored === undefined) throw new Error(`there is no record ${id}`);
    await registry.update(stored, { ...stored.record, phase: 'deleting' });
  }
}

const copies = (): readonly string[] => [...s3.objects.keys()].filter((key) => /\d\.yaml$/.test(key)).sort();
const recordsLeft = async (): Promise<readonly string[]> => (await registry.list({})).map(({ record: { id } }) => id);

describe('a copy that its store does not let go', () => {
  it('keeps its record as deleting, and each prune asks the store again', async () => {
    await doom(OLDER);
    s3.fault = ({ what }) => (what === 'delete' ? { status: 403, code: 'AccessDenied' } : undefined);
    for (const _ of ['tonight', 'tomorrow']) {
      expect(await pruned()).toMatchObject({ removed: [], left: [pathOf(OLDER)] });
      const leftovers = [`${keyOf(OLDER)} in bucket backups at ${s3.endpoint}`];
      expect((await registry.get('shop', 'orders-db', OLDER))?.record).toMatchObject({ phase: 'deleting', leftovers });
      expect(copies()).toEqual([keyOf(OLDER), keyOf(NEWER)]);
    }
    s3.fault = () => undefined;
    expect(await pruned()).toMatchObject({ removed: [pathOf(OLDER)], left: [] });
    expect([copies(), await recordsLeft()]).toEqual([[keyOf(NEWER)], [NEWER]]);
  });

  it('is not asked for where it is not there: who may not delete is in nobody`s way', async () => {
    s3.objects.delete(keyOf(OLDER));
    await doom(OLDER);
    s3.fault = ({ what }) => (what === 'delete' ? { status: 403, code: 'AccessDenied' } : undefined);
    expect(await pruned()).toMatchObject({ removed: [pathOf(OLDER)], left: [] });
  });

  it('stays while the backup`s own data stays: what it names can still be imported', async () => {
    await doom(OLDER);
    expect(await pruned({ snapshots: ['volumesnapshot/stuck'] })).toMatchObject({ removed: [], left: [pathOf(OLDER)] });
    expect(copies()).toEqual([keyOf(OLDER), keyOf(NEWER)]);
  });
});

it('a store that does not answer is waited for once, however many go', async () => {
  await doom(OLDER, NEWER);
  let asked = 0;
  s3.fault = ({ what }) => {
    asked += what === 'get' ? 1 : 0;
    return { status: 503, code: 'SlowDown' };
  };
  const data: Remover = { remove: async () => [], removeLeftovers: async () => [] };
  const remover = new CopiesRemover(data, { open, owner: async () => OWNER }, { clock: systemClock, log });
  const left: string[] = [];
  let before = 0;
  for (const stored of await registry.list({})) {
    left.push(...(await remover.remove(stored)));
    if (before === 0) before = asked;
  }
  expect(left).toEqual([NEWER, OLDER].map((id) => expect.stringContaining(keyOf(id))));
  expect(before).toBeGreaterThan(1);
  expect(asked).toBe(before);
});

it('copies of another registry are nobody`s here: its records go, and they stay', async () => {
  await doom(OLDER);
  expect(await pruned({ uid: 'uid-2' })).toMatchObject({ removed: [pathOf(OLDER)], left: [] });
  expect(copies()).toEqual([keyOf(OLDER), keyOf(NEWER)]);
});

it('what a failed backup has left is removed without a look at the copies', async () => {
  await registry.create(record({ id: '20260103020000', phase: 'failed', cuts: recordWith().cuts, leftovers: ['x'] }));
  s3.seen.length = 0;
  const data: Remover = { remove: async () => [], removeLeftovers: async () => [] };
  const remover = new CopiesRemover(data, { open, owner: async () => OWNER }, { clock: systemClock, log });
  const stored = await registry.get('shop', 'orders-db', '20260103020000');
  if (stored === undefined) throw new Error('there is no record');
  expect([await remover.remove(stored), s3.seen]).toEqual([[], []]);
});
