/** What earlier runners left (safety rule 11), in folders. One that is alive after all: commands/earlier-runs.test.ts. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../runner/clock';
import { sweep } from '../../runner/commands/sweep';
import type { DirectoryRegistry } from '../../runner/registry/directory';
import type { DirectorySnapshotStore } from '../../runner/snapshots/directory';
import { LocalBackups, log, snapshotOf } from './records-fixture';

let backups: LocalBackups;
let folder: string;
let registry: DirectoryRegistry;
let store: DirectorySnapshotStore;

beforeEach(async () => {
  backups = await LocalBackups.create();
  ({ folder, registry, store } = backups);
});
afterEach(() => backups[Symbol.asyncDispose]());

describe('rule 11: what earlier runners left', () => {
  const run = { id: '20260105020000', owner: { jobUid: 'job-5' }, trigger: 'scheduled' } as const;
  const sweepAll = (): Promise<void> => sweep({ registry, store, clock: systemClock, log, run }, 'shop', 'orders-db');

  it.each(['pending', 'freezing'] as const)('a record in phase %s fails, and its snapshots go', async (phase) => {
    const made = await backups.withSnapshot({ phase });
    await sweepAll();
    expect((await registry.get('shop', 'orders-db', made.id))?.record).toMatchObject({
      phase: 'failed',
      error: { code: 'runner-lost' },
    });
    expect(await backups.exists(snapshotOf(made))).toBe(false);
  });

  it('a record whose cuts were proven is finished', async () => {
    const made = await backups.withSnapshot({ phase: 'cut' });
    await sweepAll();
    expect(await backups.phaseOf(made)).toBe('succeeded');
    expect(await backups.exists(snapshotOf(made))).toBe(true);
  });

  it('a record whose snapshots are gone meanwhile is no backup', async () => {
    const made = await backups.withSnapshot({ phase: 'cut' });
    await rm(join(folder, 'snapshots', snapshotOf(made)), { recursive: true });
    await sweepAll();
    expect((await registry.get('shop', 'orders-db', made.id))?.record).toMatchObject({
      phase: 'failed',
      error: { code: 'cut-lost' },
    });
  });

  it("another database's and the own Job's records are left alone", async () => {
    const own = await backups.withSnapshot({ phase: 'freezing', owner: { jobUid: 'job-5' } });
    const other = await backups.withSnapshot({ phase: 'freezing', database: 'users-db' });
    await sweepAll();
    expect([await backups.phaseOf(own), await backups.phaseOf(other)]).toEqual(['freezing', 'freezing']);
  });
});
