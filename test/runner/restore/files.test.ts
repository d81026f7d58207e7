import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepOriginal, putBackOriginal } from '../../../runner/restore/files';

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-files-'));
  file = join(folder, 'settings');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('a file that is detached and attached again', () => {
  it('comes back as it was, once', async () => {
    await writeFile(file, 'archive_mode = on\n');
    await keepOriginal(file, '1', owner);
    await writeFile(file, 'archive_mode = off\n');
    // A second attempt at detaching finds what the first has made of it.
    await keepOriginal(file, '1', owner);
    expect(await putBackOriginal(file, '1', owner)).toBe(true);
    expect(await readFile(file, 'utf8')).toBe('archive_mode = on\n');
    expect(await putBackOriginal(file, '1', owner)).toBe(false);
    expect(await readdir(folder)).toEqual(['settings']);
  });

  it('is gone again where there was none', async () => {
    await keepOriginal(file, '1', owner);
    await writeFile(file, 'x');
    expect(await putBackOriginal(file, '1', owner)).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is not taken for what the restore of an earlier backup has kept', async () => {
    await writeFile(file, 'of long ago');
    await keepOriginal(file, '1', owner);
    await writeFile(file, 'of now');
    await keepOriginal(file, '2', owner);
    await writeFile(file, 'detached');
    await putBackOriginal(file, '2', owner);
    expect(await readFile(file, 'utf8')).toBe('of now');
  });
});
