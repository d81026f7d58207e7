/** An export beside a deletion: what is written down is there until it is written. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deleteBackups } from '../../../runner/commands/delete';
import { exportBackup } from '../../../runner/commands/export';
import { FileLocks } from '../../../runner/local/locks';
import { LocalRemover } from '../../../runner/local/remover';
import type { Told } from '../../../runner/output/told';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import { DirectoryUses } from '../../../runner/registry/directory-uses';
import type { ExportedBackup } from '../../../src/contract';
import { FakeClock } from '../../support/fake-clock';
import { gathered } from '../../support/gathered';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';
import { recordWith } from '../../support/records';

let folder: string;
let registry: DirectoryRegistry;
const clock = new FakeClock();
const log = new QuietLog();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-export-'));
  registry = new DirectoryRegistry(folder, log);
});
afterEach(() => rm(folder, { recursive: true }));

const exported = record({ id: '20260101020000', cuts: recordWith().cuts });

/** What is found of its snapshots, after something else has happened. */
function exportWhile(happens: () => Promise<void>): Promise<ExportedBackup> {
  const handles = async () => {
    await happens();
    return [{ volume: 'data', driver: 'disk.test', handle: 'snap-1' }];
  };
  const context = { registry, registryName: 'stillpoint', source: { handles }, clock, runnerVersion: '1' };
  return exportBackup({ ...context, uses: new DirectoryUses(registry) }, exported.id, {});
}

function deletion(): Promise<readonly Told[]> {
  const remover = new LocalRemover({ clock, log });
  const context = { registry, remover, clock, confirm: async () => true, holder: 'somebody' };
  const options = { yes: true };
  return gathered(
    deleteBackups(
      { ...context, uses: new DirectoryUses(registry), locksOf: () => new FileLocks(folder) },
      [exported.id],
      options,
    ),
  );
}

test('rule 10: a backup is not deleted while it is exported, and may go afterwards', async () => {
  await registry.create(exported);
  await registry.create(record({ id: '20260102020000' }));
  const document = await exportWhile(async () => {
    await expect(deletion()).rejects.toMatchObject({
      code: 'backup-in-use',
      message: expect.stringContaining('is in use by export'),
    });
  });
  expect(document.record.id).toBe(exported.id);
  expect(await deletion()).toMatchObject([{ line: expect.stringContaining('deleted') }]);
});

test('rule 10: a backup that is being deleted is not exported any more', async () => {
  const stored = await registry.create(exported);
  await registry.update(stored, { ...exported, phase: 'deleting' });
  await expect(exportWhile(async () => undefined)).rejects.toMatchObject({ code: 'backup-not-restorable' });
});
