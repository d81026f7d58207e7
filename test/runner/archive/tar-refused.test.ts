/** Archives that are refused: what was altered, cut short or lengthened, and what was made to do harm where it is unpacked. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Entry } from '../../../runner/archive/entry';
import { END, encodeHeader } from '../../../runner/archive/tar-header';
import { type Archived, ArchiveFolder } from './tar-fixture';
import { lookAt } from './tree';

let archives: ArchiveFolder;
let top: string;
beforeEach(async () => {
  archives = await ArchiveFolder.create();
  ({ top } = archives);
});
afterEach(() => archives[Symbol.asyncDispose]());

describe('what is not as it was written', () => {
  let archived: Archived;
  beforeEach(async () => {
    writeFileSync(join(top, 'from', 'one'), 'the content of a file');
    writeFileSync(join(top, 'from', 'two'), 'another');
    archived = await archives.archive();
  });

  test('a byte of a file', async () => {
    const at = archived.bytes.indexOf('the content');
    archived.bytes[at] = 0x54;
    await expect(archives.back(archived)).rejects.toMatchObject({
      code: 'stream-broken',
      message: expect.stringMatching(/^data\/one has the sha256 \w{64}, and \w{64} in the manifest$/),
    });
  });

  test('a header', async () => {
    const at = archived.bytes.indexOf('data/one');
    archived.bytes[at + 5] = 0x4f;
    await expect(archives.back(archived)).rejects.toMatchObject({ code: 'archive-refused' });
  });

  test('its end', async () => {
    await expect(archives.back({ ...archived, bytes: archived.bytes.subarray(0, -1024) })).rejects.toMatchObject({
      message: 'the archive is not one to restore from: it ends before its end',
    });
    await archives.emptied('to');
    await expect(
      archives.back({ ...archived, bytes: Buffer.concat([archived.bytes, Buffer.from('x')]) }),
    ).rejects.toMatchObject({
      message: 'the archive is not one to restore from: something follows the end of the archive',
    });
  });

  test('a file that the manifest has and the archive has not, and the other way', async () => {
    const more = { path: 'data/zero', kind: 'file', mode: 0, uid: 0, gid: 0, mtimeNs: 0n, size: 0 } as const;
    await expect(archives.back({ ...archived, lines: [...archived.lines, more] })).rejects.toMatchObject({
      message: 'the archive is not one to restore from: it ends before data/zero, which is in its manifest',
    });
    await archives.emptied('to');
    await expect(archives.back({ ...archived, lines: archived.lines.slice(0, -1) })).rejects.toMatchObject({
      message: 'the archive is not one to restore from: data/two is in no line of its manifest',
    });
  });
});

describe('an archive that was made to do harm', () => {
  const usual: Entry = { kind: 'file', path: 'data', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, size: 0 };
  const folder = (path: string): Entry => ({ ...usual, kind: 'directory', path, mode: 0o755 });
  const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

  function made(...entries: Entry[]): Archived {
    const own = entries.map((entry) => ({ ...entry, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }));
    return {
      bytes: Buffer.concat([...own.map(encodeHeader), END]),
      lines: own.map((entry) => (entry.kind === 'file' ? { ...entry, sha256: EMPTY } : entry)),
    };
  }

  test.each<[string, Entry[], string]>([
    ['goes up', [folder('data'), { ...usual, path: 'data/../../escaped' }], 'data/../../escaped is no name of a file'],
    [
      'is absolute',
      [folder('data'), { ...usual, path: '/etc/cron.d/escaped' }],
      '/etc/cron.d/escaped is on no volume that is restored',
    ],
    [
      'is absolute below a volume',
      [folder('data'), { ...usual, path: 'data//etc/escaped' }],
      'data//etc/escaped is no name of a file',
    ],
    ['is on another volume', [{ ...usual, path: 'other/file' }], 'other/file is on no volume that is restored'],
    [
      'goes through a link',
      [
        folder('data'),
        { ...usual, kind: 'symlink', path: 'data/link', target: '/wal' },
        { ...usual, path: 'data/link/escaped' },
      ],
      'data/link/escaped lies in no folder of it',
    ],
    [
      'is a link that leads out',
      [folder('data'), { ...usual, kind: 'symlink', path: 'data/link', target: '../../etc/passwd' }],
      'data/link is a link that leads out of the volumes, to ../../etc/passwd',
    ],
    [
      'is a hard link to what is outside',
      [folder('data'), { ...usual, kind: 'link', path: 'data/link', target: 'data/../../secret' }],
      'data/../../secret is no name of a file',
    ],
    [
      'is a hard link to a link',
      [
        folder('data'),
        { ...usual, kind: 'symlink', path: 'data/link', target: '/wal' },
        { ...usual, kind: 'link', path: 'data/other', target: 'data/link' },
      ],
      'data/other is a link to data/link, which is no file',
    ],
    [
      'comes twice',
      [folder('data'), { ...usual, path: 'data/one' }, { ...usual, path: 'data/one' }],
      'to/one is in it twice',
    ],
    ['is the folder itself', [{ ...usual, path: 'data' }], 'to is in it twice'],
  ])('a name that %s is refused, and nothing is written there', async (_, entries, message) => {
    mkdirSync(join(top, 'none'));
    writeFileSync(join(top, 'secret'), 'not to be linked');
    await expect(archives.back(made(...entries))).rejects.toMatchObject({
      code: 'archive-refused',
      message: expect.stringContaining(message),
    });
    expect(execFileSync('find', [top, '-name', 'escaped']).toString()).toBe('');
    expect(readFileSync(join(top, 'secret'), 'utf8')).toBe('not to be linked');
  });

  test('a link that was there before is not followed either', async () => {
    symlinkSync(join(top, 'secret'), join(top, 'to', 'one'));
    await expect(archives.back(made(folder('data'), { ...usual, path: 'data/one' }))).rejects.toMatchObject({
      code: 'archive-refused',
    });
    expect(execFileSync('find', [top, '-name', 'secret']).toString()).toBe('');
  });

  test.each<[string, Partial<Entry>]>([
    ['mode', { mode: 0o4755 }],
    ['uid', { uid: 4242 }],
    ['mtimeNs', { mtimeNs: 1n }],
    ['path', { path: 'data/two' }],
    ['kind', { kind: 'directory' }],
  ])('a %s that is another one in the manifest is refused', async (key, other) => {
    const archived = made(folder('data'), { ...usual, path: 'data/one' });
    const lines = archived.lines.map((line) => (line.path === 'data/one' ? { ...line, ...other } : line));
    await expect(archives.back({ ...archived, lines })).rejects.toMatchObject({
      code: 'archive-refused',
      message: expect.stringContaining(`data/one has ${key} `),
    });
    expect(lookAt(join(top, 'to'))).not.toHaveProperty('one');
  });

  test('a kind that we never write is refused', async () => {
    const archived = made(folder('data'), { ...usual, path: 'data/device' });
    const at = 512 + 156;
    archived.bytes.write('3', at, 'latin1');
    const sum = Number.parseInt(archived.bytes.toString('latin1', 512 + 148, 512 + 155), 8) + 3;
    archived.bytes.write(`${sum.toString(8).padStart(7, '0')}\0`, 512 + 148, 'latin1');
    await expect(archives.back(archived)).rejects.toMatchObject({
      message: 'the archive is not one to restore from: data/device is of a kind that is in no archive of ours',
    });
  });
});
