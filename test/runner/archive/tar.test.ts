/** Archives of real files: the system's own tar reads what we write, and we read it back; what their headers and manifests can say. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Entry } from '../../../runner/archive/entry';
import { timeIn, timeText } from '../../../runner/archive/entry';
import { manifestLine } from '../../../runner/archive/manifest';
import { decodeExtended, decodeHeader, encodeHeader, padding } from '../../../runner/archive/tar-header';
import type { ArchivedVolume } from '../../../runner/archive/tar-writer';
import { ArchiveFolder } from './tar-fixture';
import { addUnarchived, lookAt, makeTree } from './tree';

let archives: ArchiveFolder;
let top: string;
beforeEach(async () => {
  archives = await ArchiveFolder.create();
  ({ top } = archives);
});
afterEach(() => archives[Symbol.asyncDispose]());

describe('an archive of real files', () => {
  const both = (): readonly ArchivedVolume[] => {
    mkdirSync(join(top, 'none'));
    return archives.volumes();
  };

  test("is read by the system's own tar: everything is there as it was", async () => {
    makeTree(join(top, 'from'));
    const { bytes } = await archives.archive(both());
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
    const archived = await archives.archive(both());
    await archives.emptied('none');
    expect(await archives.back(archived)).toEqual({ files: 17, bytes: 3_000_001 + 1_048_576 + 512 + 15 + 8 });
    expect(lookAt(join(top, 'to'))).toEqual(lookAt(join(top, 'from')));
  });

  test("names what is left out, and leaves out nothing else: sockets, pipes, links that lead out; the file system's own folder without a word", async () => {
    makeTree(join(top, 'from'));
    addUnarchived(join(top, 'from'));
    const { lines } = await archives.archive(both());
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
    const { lines } = await archives.archive(both());
    const large = lines.find(({ path }) => path === 'data/pgdata/large');
    const [sum] = execFileSync('sha256sum', [join(top, 'from', 'pgdata', 'large')])
      .toString()
      .split(' ');
    expect(large).toMatchObject({ kind: 'file', size: 3_000_001, sha256: sum });
  });

  test('does not begin to guess where a file cannot be read', async () => {
    writeFileSync(join(top, 'from', 'file'), 'x');
    await expect(archives.archive([{ name: 'data', path: join(top, 'nowhere') }])).rejects.toMatchObject({
      code: 'directory-unusable',
      message: `${join(top, 'nowhere')} cannot be read (ENOENT)`,
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
