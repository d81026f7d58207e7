/**
 * The links of a restored data directory: pg_wal and the tablespaces. They hold absolute paths of the original server.
 * One that leads out of the restored volumes is mended or refused, never followed: on the machine of the original it
 * would lead to the original's own files.
 */
import { lstat, readdir, readlink, realpath, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRecord } from '../../../src/contract';
import type { MountedVolume } from '../../engine';
import { exists } from '../../restore/files';
import { movedPaths } from '../../restore/moved-paths';
import { failed } from './data-directory';

/** Mends pg_wal and the tablespace links below a data directory. Says what was changed. */
export async function mendLinks(
  dataPath: string,
  volumes: readonly MountedVolume[],
  record: BackupRecord,
): Promise<readonly string[]> {
  const done = [await mendLink(join(dataPath, 'pg_wal'), volumes, record)];
  // With a tablespace_map the server makes these anew at its first start; until then they must lead nowhere else either.
  for (const oid of await readdir(join(dataPath, 'pg_tblspc'))) {
    done.push(await mendLink(join(dataPath, 'pg_tblspc', oid), volumes, record));
  }
  await checkLog(dataPath);
  return done.filter((text) => text !== undefined);
}

/** The tablespace_map of the record with the paths that the tablespaces have now. */
export async function movedTablespaceMap(
  map: string,
  volumes: readonly MountedVolume[],
  record: BackupRecord,
): Promise<string> {
  const lines = map.split('\n').filter((line) => line !== '');
  const moved = lines.map(async (line) => {
    const [oid, ...rest] = line.split(' ');
    const original = rest.join(' ');
    return `${oid} ${await movedTarget(`tablespace ${oid}`, original, volumes, record)}\n`;
  });
  return (await Promise.all(moved)).join('');
}

async function mendLink(
  link: string,
  volumes: readonly MountedVolume[],
  record: BackupRecord,
): Promise<string | undefined> {
  const entry = await lstat(link).catch(() => undefined);
  if (entry?.isSymbolicLink() !== true) return undefined;
  const target = await readlink(link);
  const now = await movedTarget(link, target, volumes, record);
  if (now === target) return undefined;
  await unlink(link);
  await symlink(now, link);
  return `${link} leads to ${now} now`;
}

/** Where the target of a link lies now, on one of the mounted volumes. */
async function movedTarget(
  what: string,
  target: string,
  volumes: readonly MountedVolume[],
  record: BackupRecord,
): Promise<string> {
  if (await liesOn(target, volumes)) return target;
  for (const path of volumes.flatMap((volume) => movedPaths(target, volume, record))) {
    if (await exists(path)) return path;
  }
  throw failed(
    `${what} leads to ${target}, which lies on none of the restored volumes`,
    `mount the volume that holds it where the original had it; mounted are ${volumes.map(({ path }) => path).join(', ')}`,
  );
}

async function liesOn(target: string, volumes: readonly MountedVolume[]): Promise<boolean> {
  const real = await realpath(target).catch(() => undefined);
  if (real === undefined) return false;
  const folders = await Promise.all(volumes.map(({ path }) => realpath(path)));
  return folders.some((folder) => real === folder || real.startsWith(`${folder}/`));
}

/** Without its log a copy must not start: the server would make up a new one only for those who force it to. */
async function checkLog(dataPath: string): Promise<void> {
  const names = await readdir(join(dataPath, 'pg_wal')).catch(() => [] as string[]);
  if (names.some((name) => /^[0-9A-F]{24}$/.test(name))) return;
  throw failed(
    `there is no write-ahead log in ${join(dataPath, 'pg_wal')}`,
    'the volume with the log has to be restored and mounted together with the data',
  );
}
