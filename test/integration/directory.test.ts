/** Folders as volumes, copies as snapshots, files as records. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../runner/clock';
import { copyTree } from '../../runner/local/copy-tree';
import { FileLocks } from '../../runner/local/locks';
import { LocalPlatform } from '../../runner/local/platform';
import { DirectoryRegistry } from '../../runner/registry/directory';
import { DirectorySnapshotStore } from '../../runner/snapshots/directory';
import { QuietLog } from '../support/quiet-log';
import { registryContract } from './contract/registry';
import { snapshotStoreContract } from './contract/snapshot-store';

const never = new AbortController().signal;
const temporary = (): Promise<string> => mkdtemp(join(tmpdir(), 'stillpoint-directory-'));

snapshotStoreContract('folders', async () => {
  const folder = await temporary();
  const selections = ['one', 'two'].map((name) => ({ name, role: 'data' as const, directory: join(folder, name) }));
  for (const { directory } of selections) await mkdir(join(directory, 'sub'), { recursive: true });
  const store = new DirectorySnapshotStore(join(folder, 'snapshots'), { clock: systemClock, log: new QuietLog() });
  return {
    store,
    volumes: await new LocalPlatform(selections).resolveVolumes(selections),
    write: (volume, file, content) => writeFile(join(volume.claim, file), content),
    read: ({ handle = '' }, file) => readFile(join(handle, file), 'utf8').catch(() => undefined),
    remove: () => rm(folder, { recursive: true }),
  };
});

registryContract('a folder', async () => {
  const folder = await temporary();
  return {
    open: () => new DirectoryRegistry(folder, new QuietLog()),
    remove: () => rm(folder, { recursive: true }),
  };
});

describe('copying a folder', () => {
  let folder: string;
  const source = (...names: string[]): string => join(folder, 'source', ...names);
  const copy = async (name: string, options: Partial<Parameters<typeof copyTree>[2]> = {}): Promise<string> => {
    const target = join(folder, name);
    await copyTree(join(folder, 'source'), target, { signal: never, ...options });
    return target;
  };

  beforeAll(async () => {
    folder = await temporary();
    await mkdir(source('nested', 'deep'), { recursive: true });
    await writeFile(source('file'), 'content', { mode: 0o640 });
    await writeFile(source('nested', 'deep', 'inner'), 'inner');
    await writeFile(source('large'), Buffer.alloc(3 * 1024 * 1024, 7));
    await symlink('/nowhere/at/all', source('link'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('keeps contents, modes, times and links', async () => {
    const target = await copy('whole');
    expect(await readFile(join(target, 'large'))).toEqual(await readFile(source('large')));
    const [before, after] = await Promise.all([stat(source('file')), stat(join(target, 'file'))]);
    expect({ mode: after.mode, mtime: Math.trunc(after.mtimeMs), uid: after.uid }).toEqual({
      mode: before.mode,
      mtime: Math.trunc(before.mtimeMs),
      uid: before.uid,
    });
    expect(await readdir(target)).toContain('link');
  });

  it('leaves the folder of another volume empty', async () => {
    const target = await copy('without', { without: [source('nested')] });
    expect(await readdir(join(target, 'nested'))).toEqual([]);
  });

  it('copies what has to be last after everything else', async () => {
    const target = await copy('last', { last: ['deep/inner'] });
    const times = await Promise.all(
      ['file', 'large', 'nested/deep/inner'].map(async (name) => (await stat(join(target, name))).ctimeMs),
    );
    expect(times[2]).toBe(Math.max(...times));
  });

  it('ends well when a file is cut short and others come and go meanwhile', async () => {
    await writeFile(source('shrinking'), Buffer.alloc(64 * 1024 * 1024));
    let churning = true;
    const churn = (async () => {
      for (let number = 0; churning; number++) {
        await writeFile(source(`passing-${number}`), 'x');
        await truncate(source('shrinking'), 1024 + number);
        await rm(source(`passing-${number}`));
      }
    })();
    const target = await copy('moving');
    churning = false;
    await churn;
    expect(await readFile(join(target, 'file'), 'utf8')).toBe('content');
    await rm(source('shrinking'));
  });
});

describe('a store of folders', () => {
  it('is refused inside a folder that it would copy, and where it cannot be', async () => {
    const folder = await temporary();
    const selections = [{ name: 'data', role: 'data' as const, directory: folder }];
    const volumes = await new LocalPlatform(selections).resolveVolumes(selections);
    const at = (path: string): DirectorySnapshotStore =>
      new DirectorySnapshotStore(path, { clock: systemClock, log: new QuietLog() });
    await writeFile(join(folder, 'file'), '');
    for (const path of [join(folder, 'inside'), join(folder, 'file', 'below')]) {
      const findings = await at(path).check(volumes, 'individually');
      expect(findings).toMatchObject([{ severity: 'error', code: 'directory-unusable' }]);
    }
    const outside = await temporary();
    expect(await at(outside).check(volumes, 'together')).toContainEqual(
      expect.objectContaining({ severity: 'error', code: 'driver-unsafe' }),
    );
    for (const made of [folder, outside]) await rm(made, { recursive: true });
  });
});

describe('lock files', () => {
  it('keep two apart, and one that a dead process has left does not', async () => {
    const folder = await temporary();
    const locks = new FileLocks(folder);
    const held = await locks.acquire('orders', 'job-1');
    await expect(locks.acquire('orders', 'job-2')).rejects.toMatchObject({
      code: 'backup-in-progress',
      message: expect.stringContaining('job-1'),
    });
    await held.release();
    // No process has this number: the highest that Linux and macOS give is far below.
    await writeFile(join(folder, 'orders.lock'), JSON.stringify({ pid: 2 ** 30, holder: 'gone' }));
    await (await locks.acquire('orders', 'job-2')).release();
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });
});
