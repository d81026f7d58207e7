/** `stillpoint restore --from … --directory`: a dump that a server takes as a file. The objects lie in a real folder; no cluster is asked. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../../runner/clock';
import { restoreFromStore } from '../../../runner/wiring/restore-from-store';
import type { World } from '../../../runner/wiring/world';
import type { KilledRestore } from '../../support/killed-restore';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

const ID = '20260101020000';
const RUNNER = fileURLToPath(new URL('../../support/killed-restore.ts', import.meta.url));
const RDB = 'REDIS0011 and so on';
const STORED = gzipSync(RDB);
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-from-'));
  const key = `stillpoint/shop/sessions-db/${ID}/dump.rdb.gz`;
  await mkdir(join(folder, 'store', key, '..'), { recursive: true });
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'store', key), STORED);
  const object = { key, location: `file:///${key}`, bytes: STORED.length, sha256: sha256(STORED) };
  const plain = { plainBytes: RDB.length, plainSha256: sha256(RDB), compression: 'gzip' };
  const beside = record({ engine: 'redis', database: 'sessions-db', mode: 'dump', objects: [{ ...object, ...plain }] });
  await writeFile(join(folder, 'store', key, '..', 'record.yaml'), stringify(beside));
});
afterEach(() => rm(folder, { recursive: true }));

const restoring = (more: { readonly identityFile?: string } = {}): Promise<string> =>
  restoreFromStore(
    'sessions-db/latest',
    {
      registry: 'stillpoint',
      output: 'table',
      timeout: 10_000,
      from: `file://${folder}/store`,
      directory: join(folder, 'data'),
      ...more,
    },
    {
      clock: systemClock,
      log: new QuietLog(),
      signal: new AbortController().signal,
      env: {},
      version: 'test',
    } satisfies World,
  );

it('Redis: the file for a new server, and nothing where one has started already', async () => {
  const file = join(folder, 'data', 'dump.rdb');
  expect(await restoring()).toBe(`backup shop/sessions-db/${ID} restored into the file ${file}\n`);
  expect(await readFile(file, 'utf8')).toBe(RDB);
  await writeFile(file, 'of a server');
  await expect(restoring()).rejects.toMatchObject({ code: 'restore-exists', exitCode: 3 });
  expect(await readFile(file, 'utf8')).toBe('of a server');
});

it('other bytes than the record says make no file', async () => {
  const at = join(folder, 'store', `stillpoint/shop/sessions-db/${ID}/dump.rdb.gz`);
  await writeFile(at, gzipSync(RDB.replace('so', 'SO')));
  await expect(restoring()).rejects.toMatchObject({ code: 'stream-broken' });
  expect(await readdir(join(folder, 'data'))).toEqual([]);
});

it('a runner that is killed before the file has its name leaves none, and the next one makes it', async () => {
  const told: KilledRestore = {
    storage: { kind: 'directory', directory: { path: join(folder, 'store') } },
    backup: { namespace: 'shop', database: 'sessions-db', id: ID },
    goal: { file: { directory: join(folder, 'data') } },
  };
  const args = ['--import', 'tsx', RUNNER, JSON.stringify(told)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  expect((await once(child, 'close'))[1]).toBe('SIGKILL');
  expect(await readdir(join(folder, 'data'))).toEqual(['dump.rdb.partial']);
  await restoring();
  expect(await readdir(join(folder, 'data'))).toEqual(['dump.rdb']);
});

it('an identity that cannot be read is looked for where its name was typed, and in no Secret', async () => {
  const wanted = restoring({ identityFile: join(folder, 'not-there') });
  await expect(wanted).rejects.toMatchObject({
    code: 'credentials-unreadable',
    hint: 'look at the name that was typed',
  });
  expect(await readdir(join(folder, 'data'))).toEqual([]);
});
