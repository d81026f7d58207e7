/** Doctor's look at imported backups: whose are asked for, and what is said of the answers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { importedFindings } from '../../../runner/commands/imported';
import { StillpointError } from '../../../runner/errors';
import type { Finding } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { BackupRecord } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

let folder: string;
let registry: DirectoryRegistry;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-imported-'));
  registry = new DirectoryRegistry(folder, new QuietLog());
});
afterEach(() => rm(folder, { recursive: true }));

const imported = { at: '2026-01-02T00:00:00.000Z', from: {}, ownsData: false };
const asked: string[] = [];

function findings(missing: (record: BackupRecord) => Promise<readonly string[]>): Promise<readonly Finding[]> {
  asked.length = 0;
  const look = {
    missing: (of: BackupRecord) => {
      asked.push(of.id);
      return missing(of);
    },
  };
  return importedFindings({ registry, look, signal: new AbortController().signal }, { namespace: 'shop' });
}

test('only good backups of other clusters are asked for, and where there are none nothing is said', async () => {
  await registry.create(record({ id: '20260101000000' }));
  await registry.create(record({ id: '20260102000000', imported, phase: 'deleting' }));
  await registry.create(record({ id: '20260103000000', imported, namespace: 'bank' }));
  await registry.create(record({ id: '20260103010000', imported, mode: 'dump' }));
  expect(await findings(async () => ['gone'])).toEqual([]);
  expect(asked).toEqual([]);
  await registry.create(record({ id: '20260104000000', imported }));
  expect(await findings(async () => [])).toMatchObject([{ severity: 'ok', subject: 'imported backups' }]);
  expect(asked).toEqual(['20260104000000']);
});

test('each that is gone is named, with what is gone of it', async () => {
  for (const id of ['20260101000000', '20260102000000', '20260103000000']) {
    await registry.create(record({ id, imported }));
  }
  const found = await findings(async ({ id }) => (id === '20260102000000' ? [] : ['the storage says no', 'and no']));
  expect(found.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
    'snapshot-missing backup shop/orders-db/20260101000000',
    'snapshot-missing backup shop/orders-db/20260103000000',
  ]);
  expect(found[0]?.message).toMatch(/cannot be restored: the storage says no; and no$/);
});

test('whoever may not ask is told so, and nothing is said to be there or gone', async () => {
  await registry.create(record({ imported }));
  const forbidden = new StillpointError('permission-missing', 'may not create volumesnapshotcontents');
  expect(await findings(() => Promise.reject(forbidden))).toMatchObject([
    { severity: 'warning', code: 'permission-missing', message: expect.stringContaining('was not asked') },
  ]);
});
