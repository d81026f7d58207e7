/**
 * NuoDB (a stand-in) by the handles of its volumes: what is left when a cluster is gone with its registry. Another namespace and
 * another registry stand for the next cluster; the storage is the same.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { succeeded, takeBackup } from './harness/backup';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyNuoDbPolicy, type State, startStorageManagers, stateOfCopy } from './harness/nuodb';
import { type Answer, stillpointOf } from './harness/stillpoint';
import { thisRun } from './harness/this-run';

let origin: TestNamespace;
let elsewhere: TestNamespace;
let registry: TestNamespace;
let older: BackupRecord;
let newer: BackupRecord;
let before: State;

beforeAll(async () => {
  [origin, elsewhere, registry] = [
    await makeNamespace('nuodb-origin'),
    await makeNamespace('nuodb-elsewhere'),
    await makeNamespace('registry-there'),
  ];
  const managers = await startStorageManagers({ namespace: origin.name });
  const policy = await applyNuoDbPolicy(origin.name, { database: 'demo' });
  older = succeeded(await takeBackup(policy));
  before = await managers.state();
  newer = succeeded(await takeBackup(policy));
});
afterAll(async () => {
  for (const each of [registry, elsewhere, origin]) await each?.[Symbol.asyncDispose]();
});

const there = (...args: readonly string[]): Promise<Answer> =>
  stillpointOf(registry.name, ...args, '-n', elsewhere.name);

const handle = ({ cuts }: BackupRecord, volume: string): string =>
  `${volume}=${cuts.find((cut) => cut.volume === volume)?.handle}`;

function imported(database: string, archive: BackupRecord, journal: BackupRecord): Promise<Answer> {
  return there(
    ...['import', '--engine', 'nuodb', '--database', database, '--driver', 'disk.test', '--image', thisRun.image],
    ...['--handle', handle(archive, 'archive'), handle(journal, 'journal')],
  );
}

test('a pair of one backup is imported, says that nothing proves it, and restores with archive and journal that fit', async () => {
  const answer = await imported('demo', newer, newer);
  expect(answer, answer.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/imported, with/) });
  const record = JSON.parse((await there('describe', 'demo/latest', '-o', 'json')).stdout) as BackupRecord;
  expect(record).toMatchObject({ engine: 'nuodb', phase: 'succeeded', imported: { ownsData: false } });
  expect(record.warnings?.join()).toMatch(/handles of archive and journal: .*nothing proves/);
  const restored = await there('restore', 'demo/latest', '--claim', 'copy');
  expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });
  const copy = await stateOfCopy('copy', elsewhere.name, { archive: 'copy-archive', journal: 'copy-journal' });
  expect(copy.archive).toBe(copy.journal);
  expect(copy.journal).toBeGreaterThanOrEqual(before.journal);
});

test('an archive and a journal of two backups are imported, since nobody knows, and no restore takes them for one', async () => {
  const answer = await imported('mixed', older, newer);
  expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
  const restored = await there('restore', 'mixed/latest', '--claim', 'mixed');
  expect(restored).toMatchObject({ exitCode: 7, stderr: expect.stringMatching(/have to be of one backup/) });
});

test('a pair of which one is missing is refused', async () => {
  const answer = await there(
    ...['import', '--engine', 'nuodb', '--database', 'half', '--driver', 'disk.test'],
    ...['--handle', handle(newer, 'archive')],
  );
  expect(answer).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('volume journal of nuodb has no handle'),
  });
});
