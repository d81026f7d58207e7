/** What an earlier runner left, when that runner is alive after all: a Lease is no fence, the record is (safety rule 11). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { type BackupContext, backup } from '../../../runner/commands/backup';
import { StillpointError } from '../../../runner/errors';
import type { MemberSource } from '../../../runner/member';
import type { SnapshotStore, StoredRecord } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { BackupRecord, JobConfig } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const SNAPSHOT = 'orders-db-data-20260101020000';
const freezing = record({ phase: 'freezing', plannedSnapshots: [SNAPSHOT] });

let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-earlier-'));
  log = new QuietLog();
  registry = new DirectoryRegistry(folder, log);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A run that gets as far as its credentials; while it undoes what is there, the earlier runner tries to finish it. */
function runOf(id: string, jobUid: string, discard: SnapshotStore['discard']): Promise<unknown> {
  const source: Partial<MemberSource> = {
    name: '',
    config: { volumes: [] } as unknown as MemberSource['config'],
    engine: { name: 'postgres', capabilities: { hasServer: true } } as MemberSource['engine'],
    readTarget: () => Promise.reject(new StillpointError('credentials-unreadable', 'there are none')),
  };
  const context: Partial<BackupContext> = {
    config: {
      metadata: { name: 'orders-db-backup' },
      spec: { database: 'orders-db', engine: 'postgres' },
    } as JobConfig,
    namespace: 'shop',
    run: { id, owner: { jobUid, pod: 'second' }, trigger: 'scheduled' },
    sources: [source as MemberSource],
    platform: {
      checkAccess: async () => [],
      resolveVolumes: async () => [],
      clusterUid: async () => undefined,
    } as unknown as BackupContext['platform'],
    store: { discard } as unknown as SnapshotStore,
    registry,
    locks: { acquire: async () => ({ lost: new AbortController().signal, release: async () => undefined }) },
    events: { emit: async () => undefined },
    clock: systemClock,
    log,
    signal: new AbortController().signal,
    runnerVersion: 'test',
  };
  return backup(context as BackupContext).catch((error: StillpointError) => error.code);
}

const phases = async (): Promise<Record<string, BackupRecord['phase']>> =>
  Object.fromEntries((await registry.list({})).map(({ record: { id, phase } }) => [id, phase]));

describe.each([
  ["the Job's next pod", freezing.id, freezing.owner.jobUid],
  ['the next Job', '20260101030000', 'job-2'],
])('%s', (_, id, jobUid) => {
  it('takes the record before it removes a snapshot: what it removes is never part of a good backup', async () => {
    const earlier = await registry.create(freezing);
    let finished: unknown;
    const ended = await runOf(id, jobUid, async ({ names }) => {
      expect(names).toEqual([SNAPSHOT]);
      finished = await finish(earlier);
      return [];
    });
    expect(ended).toBe('credentials-unreadable');
    expect(finished).toBe('record-conflict');
    expect((await phases())[freezing.id]).toBe('failed');
  });

  it('lists what it could not remove', async () => {
    await registry.create(freezing);
    await runOf(id, jobUid, async () => ['volumesnapshotcontent/snapcontent-1']);
    const stored = await registry.get('shop', 'orders-db', freezing.id);
    expect(stored?.record.leftovers).toEqual(['volumesnapshotcontent/snapcontent-1']);
  });
});

it('a Job does not take a backup again that somebody is deleting', async () => {
  await registry.create(record({ phase: 'deleting', plannedSnapshots: [SNAPSHOT] }));
  const ended = await runOf(freezing.id, freezing.owner.jobUid, async () => expect.unreachable());
  expect(ended).toBe('record-conflict');
  expect(await phases()).toEqual({ [freezing.id]: 'deleting' });
});

async function finish(earlier: StoredRecord): Promise<unknown> {
  return await registry.update(earlier, { ...earlier.record, phase: 'succeeded' }).then(
    () => 'finished',
    (error: StillpointError) => error.code,
  );
}
