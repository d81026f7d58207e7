/** Doctor's look at imported backups: whose are asked for, and what is said of the answers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { importedFindings } from '../../../runner/commands/imported';
import { list } from '../../../runner/commands/list';
import { StillpointError } from '../../../runner/errors';
import { findRecord } from '../../../runner/find-record';
import { describeRecord } from '../../../runner/output/records';
import type { Finding } from '../../../runner/ports';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { BackupRecord } from '../../../src/contract';
import { FakeClock } from '../../support/fake-clock';
import { gathered } from '../../support/gathered';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-imported-'));
  log = new QuietLog();
  registry = new DirectoryRegistry(folder, log);
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
  const context = { registry, look, clock: new FakeClock(), log, signal: new AbortController().signal };
  return importedFindings(context, { namespace: 'shop' });
}

/** The table of `stillpoint list`: backup and status. */
async function listed(): Promise<readonly string[]> {
  const context = { registry, clock: new FakeClock(), note: () => undefined };
  const table = (await gathered(list(context, { namespace: 'shop', output: 'table' }))).join('');
  return [...table.matchAll(/^\S+ +(\d{14}) +(\S+)/gm)].map(([, id, status]) => `${id} ${status}`);
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

test('what is gone is listed as missing, is not the latest good one, and is listed as good when it is there again', async () => {
  const [older, newer] = ['20260101000000', '20260102000000'];
  for (const id of [older, newer]) await registry.create(record({ id, imported }));
  const latest = async (): Promise<string> => (await findRecord(registry, 'latest', {})).record.id;
  expect([await listed(), await latest()]).toEqual([[`${newer} succeeded`, `${older} succeeded`], newer]);

  await findings(async ({ id }) => (id === newer ? ['the storage says no'] : []));
  expect([await listed(), await latest()]).toEqual([[`${newer} missing`, `${older} succeeded`], older]);
  const { record: lost, version } = await findRecord(registry, newer, {});
  expect(lost.imported?.look).toEqual({ at: '2026-01-01T00:00:00.000Z', missing: ['the storage says no'] });
  expect(describeRecord(lost, new Date(0))).toMatch(
    /There: +no, as stillpoint doctor found at 2026-01-01T00:00:00.000Z: the storage says no/,
  );

  // The same answer again is no reason to write each record each morning.
  await findings(async ({ id }) => (id === newer ? ['the storage says so still'] : []));
  expect((await findRecord(registry, newer, {})).version).toBe(version);

  await findings(async () => []);
  expect([await listed(), await latest()]).toEqual([[`${newer} succeeded`, `${older} succeeded`], newer]);
});

test('whoever may look and not write is told what is gone all the same', async () => {
  await registry.create(record({ imported }));
  registry.update = () => Promise.reject(new StillpointError('permission-missing', 'may not update configmaps'));
  expect(await findings(async () => ['gone'])).toMatchObject([{ code: 'snapshot-missing' }]);
  expect(log.lines.map(({ message }) => message)).toEqual([
    'what was found of it is not in its record: may not update configmaps',
  ]);
});
