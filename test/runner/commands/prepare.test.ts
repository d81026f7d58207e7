import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { prepare } from '../../../runner/commands/prepare';
import type { Engine, MountedVolume } from '../../../runner/engine';
import type { BackupRecord } from '../../../src/contract';
import { QuietLog } from '../../support/quiet-log';
import { recordOfTwoVolumes } from '../../support/records';

let folder: string;
let prepared: (readonly MountedVolume[])[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-prepare-'));
  prepared = [];
});
afterEach(() => rm(folder, { recursive: true }));

/** An engine that writes down what it is asked to prepare. */
const engineOf = async (): Promise<Engine> =>
  ({
    restore: {
      prepare: async (volumes: readonly MountedVolume[]) => {
        prepared.push(volumes);
        return { dataPath: '/data', uid: 999, gid: 999, done: ['made it fit'] };
      },
    },
  }) as unknown as Engine;

async function prepareAs(record: BackupRecord | string, volumes: readonly string[]): Promise<unknown> {
  const file = join(folder, 'record.yaml');
  await writeFile(file, typeof record === 'string' ? record : stringify(record));
  return await prepare(
    { engineOf, log: new QuietLog() },
    { record: { file }, volumes, resultFile: join(folder, 'result') },
  );
}

const told = async (): Promise<unknown> => JSON.parse(await readFile(join(folder, 'result'), 'utf8'));

describe('the preparation of restored files', () => {
  test('hands every volume to the engine with its role, and tells the outcome', async () => {
    await prepareAs(recordOfTwoVolumes(), ['wal=/wal', 'data=/pg']);
    expect(prepared).toEqual([
      [
        { name: 'data', role: 'data', path: '/pg' },
        { name: 'wal', role: 'log', path: '/wal' },
      ],
    ]);
    expect(await told()).toEqual({ result: { dataPath: '/data', uid: 999, gid: 999, done: ['made it fit'] } });
  });

  test.each<[string, readonly string[], RegExp]>([
    ['half of the volumes', ['data=/pg'], /does not fit the backup: wal/],
    ['a volume of another backup', ['data=/pg', 'wal=/wal', 'temp=/t'], /does not fit the backup: temp/],
    ['a volume twice', ['data=/pg', 'data=/other', 'wal=/wal'], /data=\/other/],
    ['a path that is not absolute', ['data=pg', 'wal=/wal'], /data=pg/],
    ['no path', ['data', 'wal=/wal'], /: data$/],
  ])('is refused with %s', async (_, volumes, message) => {
    const refused = prepareAs(recordOfTwoVolumes(), volumes);
    await expect(refused).rejects.toMatchObject({ code: 'usage-invalid', message: expect.stringMatching(message) });
    expect(prepared).toEqual([]);
    expect(await told()).toMatchObject({ error: { code: 'usage-invalid' } });
  });

  test('is refused for a backup that failed', async () => {
    const refused = prepareAs(recordOfTwoVolumes({ phase: 'failed' }), ['wal=/wal', 'data=/pg']);
    await expect(refused).rejects.toMatchObject({ code: 'backup-not-restorable' });
    expect(prepared).toEqual([]);
  });

  test('says what is wrong with a record that it cannot read', async () => {
    const refused = prepareAs('kind: Backup\nid: today\n', []);
    await expect(refused).rejects.toMatchObject({
      code: 'record-unreadable',
      message: expect.stringMatching(/id must match .*namespace is missing|namespace is missing.*id must match/),
    });
  });
});
