/** Archives of real files: the system's own tar reads what we write, and we read it back, or refuse it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Entry } from '../../../runner/archive/entry';
import { timeIn, timeText } from '../../../runner/archive/entry';
import { type ExtractOptions, extract } from '../../../runner/archive/extract';
import { type ManifestLine, manifestLine, manifestLines, manifestText } from '../../../runner/archive/manifest';
import { decodeExtended, decodeHeader, END, encodeHeader, padding } from '../../../runner/archive/tar-header';
import { entriesOf } from '../../../runner/archive/tar-reader';
import { type ArchivedVolume, archiveOf } from '../../../runner/archive/tar-writer';
import { QuietLog } from '../../support/quiet-log';
import { addUnarchived, lookAt, makeTree } from './tree';

let top: string;
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'archive-'));
  mkdirSync(join(top, 'from'));
  mkdirSync(join(top, 'to'));
});
afterEach(() => rm(top, { recursive: true, force: true }));

const volumes = (): readonly ArchivedVolume[] => [
  { name: 'data', path: join(top, 'from'), mountPath: '/var/lib/postgresql/data' },
  { name: 'wal', path: join(top, 'none'), mountPath: '/wal' },
];

interface Archived {
  readonly bytes: Buffer;
  readonly lines: readonly ManifestLine[];
}

async function archive(of: readonly ArchivedVolume[] = volumes().slice(0, 1)): Promise<Archived> {
  const lines: ManifestLine[] = [];
  const chunks: Uint8Array[] = [];
  for await (const chunk of archiveOf(of, (line) => lines.push(line))) chunks.push(chunk);
  return { bytes: Buffer.concat(chunks), lines };
}

/** In pieces that fit to nothing. */
async function* pieces(bytes: Buffer, size = 1000): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* told(lines: readonly ManifestLine[]): AsyncGenerator<ManifestLine, void> {
  yield* manifestLines(pieces(Buffer.from(lines.map(manifestText).join('')), 77));
}

function into(more: Partial<ExtractOptions> = {}): ExtractOptions {
  return {
    volumes: [
      { name: 'data', path: join(top, 'to'), mountPath: '/var/lib/postgresql/data' },
      { name: 'wal', path: join(top, 'none'), mountPath: '/wal' },
    ],
    log: new QuietLog(),
    signal: new AbortController().signal,
    user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    ...more,
  };
}

async function emptied(name: string): Promise<void> {
  await rm(join(top, name), { recursive: true });
  mkdirSync(join(top, name));
}

const back = ({ bytes, lines }: Archived): Promise<unknown> => extract(entriesOf(pieces(bytes)), told(lines), into());

describe('an archive of real files', () => {
  const both = (): readonly ArchivedVolume[] => {
    mkdirSync(join(top, 'none'));
    return volumes();
  };

  test("is read by the system's own tar: everything is there as it was", async () => {
    makeTree(join(top, 'from'));
    const { bytes } = await archive(both());
    await writeFile(join(top, 'archive.tar'), bytes);
    execFileSync('tar', ['-xpf', join(top, 'archive.tar'), '-C', join(top, 'to')]);
    const [was, is] = [lookAt(join(top, 'from')), lookAt(join(top, 'to', 'data'))];
    expect(is).toEqual(was);
    expect(Object.keys(was)).toHaveLength(16);
    const [one, other] = ['large', 'the-same'].map((name) => statSync(join(top, 'to', 'data', 'pgdata', name)).ino);
    expect(one).toBe(other);
  });

  test('comes back into an empty folder as it was, links and times and modes too', async () => {
    makeTree(join(top, 'from'));
    const archived = await archive(both());
    await emptied('none');
    expect(await back(archived)).toEqual({ files: 17, bytes: 3_000_001 + 1_048_576 + 512 + 15 + 8 });
    expect(lookAt(join(top, 'to'))).toEqual(lookAt(join(top, 'from')));
  });

  test("names what is left out, and leaves out nothing else: sockets, pipes, links that lead out; the file system's own folder without a word", async () => {
    makeTree(join(top, 'from'));
    addUnarchived(join(top, 'from'));
    const { lines } = await archive(both());
    expect(lines.filter((line) => 'skipped' in line)).toEqual([
      { path: 'data/pgdata/.s.PGSQL.5432', skipped: 'a socket' },
      { path: 'data/pgdata/outside', skipped: 'a link that leads to /etc/passwd, which is outside of the volumes' },
      { path: 'data/pgdata/pipe', skipped: 'a named pipe' },
    ]);
    expect(lines.map(({ path }) => path)).not.toContain('data/lost+found');
    expect(lines.map(({ path }) => path)).toContain('data/pgdata/lost+found');
  });

  test('has the sha256 of each file in its manifest, as sha256sum has it', async () => {
    makeTree(join(top, 'from'));
    const { lines } = await archive(both());
    const large = lines.find(({ path }) => path === 'data/pgdata/large');
    const [sum] = execFileSync('sha256sum', [join(top, 'from', 'pgdata', 'large')])
      .toString()
      .split(' ');
    expect(large).toMatchObject({ kind: 'file', size: 3_000_001, sha256: sum });
  });

  test('does not begin to guess where a file cannot be read', async () => {
    writeFileSync(join(top, 'from', 'file'), 'x');
    await expect(archive([{ name: 'data', path: join(top, 'nowhere') }])).rejects.toMatchObject({
      code: 'directory-unusable',
      message: `${join(top, 'nowhere')} cannot be read (ENOENT)`,
    });
  });
});

describe('what is not as it was written', () => {
  let archived: Archived;
  beforeEach(async () => {
    writeFileSync(join(top, 'from', 'one'), 'the content of a file');
    writeFileSync(join(top, 'from', 'two'), 'another');
    archived = await archive();
  });

  test('a byte of a file', async () => {
    const at = archived.bytes.indexOf('the content');
    archived.bytes[at] = 0x54;
    await expect(back(archived)).rejects.toMatchObject({
      code: 'stream-broken',
      message: expect.stringMatching(/^data\/one has the sha256 \w{64}, and \w{64} in the manifest$/),
    });
  });

  test('a header', async () => {
    const at = archived.bytes.indexOf('data/one');
    archived.bytes[at + 5] = 0x4f;
    await expect(back(archived)).rejects.toMatchObject({ code: 'archive-refused' });
  });

  test('its end', async () => {
    await expect(back({ ...archived, bytes: archived.bytes.subarray(0, -1024) })).rejects.toMatchObject({
      message: 'the archive is not one to restore from: it ends before its end',
    });
    await emptied('to');
    await expect(back({ ...archived, bytes: Buffer.concat([archived.bytes, Buffer.from('x')]) })).rejects.toMatchObject(
      {
        message: 'the archive is not one to restore from: something follows the end of the archive',
      },
    );
  });

  test('a file that the manifest has and the archive has not, and the other way', async () => {
    const more = { path: 'data/zero', kind: 'file', mode: 0, uid: 0, gid: 0, mtimeNs: 0n, size: 0 } as const;
    await expect(back({ ...archived, lines: [...archived.lines, more] })).rejects.toMatchObject({
      message: 'the archive is not one to restore from: it ends before data/zero, which is in its manifest',
    });
    await emptied('to');
    await expect(back({ ...archived, lines: archived.lines.slice(0, -1) })).rejects.toMatchObject({
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
    await expect(back(made(...entries))).rejects.toMatchObject({
      code: 'archive-refused',
      message: expect.stringContaining(message),
    });
    expect(execFileSync('find', [top, '-name', 'escaped']).toString()).toBe('');
    expect(readFileSync(join(top, 'secret'), 'utf8')).toBe('not to be linked');
  });

  test('a link that was there before is not followed either', async () => {
    symlinkSync(join(top, 'secret'), join(top, 'to', 'one'));
    await expect(back(made(folder('data'), { ...usual, path: 'data/one' }))).rejects.toMatchObject({
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
    await expect(back({ ...archived, lines })).rejects.toMatchObject({
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
    await expect(back(archived)).rejects.toMatchObject({
      message: 'the archive is not one to restore from: data/device is of a kind that is in no archive of ours',
    });
  });
});

describe('a header', () => {
  const usual: Entry = { kind: 'file', path: 'data/file', mode: 0o600, uid: 999, gid: 999, mtimeNs: 5n, size: 7 };

  test.each<[string, Partial<Entry>]>([
    ['a size over 8 GiB', { size: 20 * 1024 ** 3 }],
    ['a path of 100 bytes', { path: `data/${'x'.repeat(95)}` }],
    ['a path of 101 bytes', { path: `data/${'x'.repeat(96)}` }],
    ['a path of 4000 bytes', { path: `data/${'x/'.repeat(1997)}y` }],
    ['a user that does not fit', { uid: 4_000_000_000, gid: 3_000_000 }],
    ['a time before 1970', { mtimeNs: -1_500_000_000n }],
    ['a time to the nanosecond', { mtimeNs: 1_700_000_000_123_456_789n }],
    ['a link with a long target', { kind: 'symlink', size: 0, target: 't'.repeat(300) }],
    ['a folder', { kind: 'directory', size: 0 }],
  ])('says %s as it is', (_, more) => {
    const entry: Entry = { ...usual, ...more };
    const bytes = encodeHeader(entry);
    let said: ReadonlyMap<string, string> = new Map();
    let at = 0;
    const first = decodeHeader(bytes.subarray(0, 512), said);
    if (first?.kind === 'extended') {
      said = decodeExtended(bytes.subarray(512, 512 + first.entry.size)) ?? new Map();
      at = 512 + first.entry.size + padding(first.entry.size);
    }
    expect(decodeHeader(bytes.subarray(at), said)).toEqual({ kind: entry.kind, entry });
    expect(bytes.length).toBe(at + 512);
  });

  test("with a size over 8 GiB is read by the system's own tar", async () => {
    await writeFile(join(top, 'archive.tar'), encodeHeader({ ...usual, size: 20 * 1024 ** 3 }));
    let listed = '';
    try {
      listed = execFileSync('tar', ['-tvf', join(top, 'archive.tar')], { stdio: 'pipe' }).toString();
    } catch (thrown) {
      // The content is not there, and tar says so after it has read the header.
      listed = `${(thrown as { readonly stdout: Buffer }).stdout}`;
    }
    expect(listed).toContain(`${20 * 1024 ** 3}`);
  });
});

test.each([0n, 1n, -1n, 1_500_000_000n, -1_500_000_000n, 1_700_000_000_123_456_789n])('the instant %s', (ns) => {
  expect(timeIn(timeText(ns))).toBe(ns);
});

test.each(['{', '[]', '{"path":"x"}', '{"path":"x","kind":"device"}', 'null'])(
  '%s is no line of a manifest',
  (text) => {
    expect(() => manifestLine(text)).toThrow('its manifest has the line');
  },
);
