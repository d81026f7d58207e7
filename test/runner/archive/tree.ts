/** A folder with everything that a volume may hold, and ways to look at two of them as one. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Makes the tree. */
export function makeTree(at: string): void {
  mkdirSync(join(at, 'lost+found'), { recursive: true });
  writeFileSync(join(at, 'lost+found', 'kept'), 'by the file system alone');
  mkdirSync(join(at, 'pgdata', 'base', 'empty'), { recursive: true });
  mkdirSync(join(at, 'pgdata', 'lost+found'));
  const long = 'a-long-name-'.repeat(9);
  mkdirSync(join(at, 'pgdata', long));
  writeFileSync(join(at, 'pgdata', long, `${long}.file`), 'far down');
  writeFileSync(join(at, 'pgdata', 'ünïcode – 木'), 'names are UTF-8');
  writeFileSync(join(at, 'pgdata', 'empty'), '');
  writeFileSync(join(at, 'pgdata', 'one-block'), Buffer.alloc(512, 1));
  writeFileSync(join(at, 'pgdata', 'large'), Buffer.alloc(3_000_001, 'x'));
  execFileSync('truncate', ['-s', '1M', join(at, 'pgdata', 'sparse')]);
  linkSync(join(at, 'pgdata', 'large'), join(at, 'pgdata', 'the-same'));
  symlinkSync('large', join(at, 'pgdata', 'link'));
  symlinkSync(`${long}/${long}.file`, join(at, 'pgdata', 'long-link'));
  symlinkSync('/wal/pg_wal', join(at, 'pgdata', 'pg_wal'));
  chmodSync(join(at, 'pgdata'), 0o700);
  chmodSync(join(at, 'pgdata', 'one-block'), 0o640);
  chmodSync(join(at, 'pgdata', 'base'), 0o2750);
  utimesSync(join(at, 'pgdata', 'one-block'), 1_000_000_000.125, 1_000_000_000.125);
  utimesSync(join(at, 'pgdata', 'base'), 1_100_000_000, 1_100_000_000);
}

/** What is left out of archives. */
export function addUnarchived(at: string): void {
  execFileSync('mkfifo', [join(at, 'pgdata', 'pipe')]);
  execFileSync('python3', [
    '-c',
    'import socket,sys,os; os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind(".s.PGSQL.5432")',
    join(at, 'pgdata'),
  ]);
  symlinkSync('/etc/passwd', join(at, 'pgdata', 'outside'));
}

/** Every entry below a folder by its path, with all that has to come back. */
export function lookAt(root: string, below = ''): Readonly<Record<string, string>> {
  const at = join(root, below);
  const { mode, uid, gid, mtimeNs, size } = lstatSync(at, { bigint: true });
  const stats = lstatSync(at);
  const own = `${(mode & 0o7777n).toString(8)} ${uid}:${gid} ${mtimeNs / 1_000_000n}`;
  if (stats.isDirectory()) {
    const names = readdirSync(at).filter((name) => below !== '' || name !== 'lost+found');
    return Object.assign({ [`${below}/`]: own }, ...names.map((name) => lookAt(root, join(below, name))));
  }
  if (stats.isSymbolicLink()) return { [below]: `${own} → ${readlinkSync(at)}` };
  if (!stats.isFile()) return { [below]: 'something else' };
  return { [below]: `${own} ${size} ${createHash('sha256').update(readFileSync(at)).digest('hex')}` };
}
