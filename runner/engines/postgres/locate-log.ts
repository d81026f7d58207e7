/**
 * Where does pg_wal lead? No function of PostgreSQL reads that link, and `initdb --waldir` leaves no other trace. So the
 * folders that are mounted where the server runs are searched, with the server's own eyes, for one that is pg_wal by
 * another path. Found nowhere else, the log lies where it seems to: in the data directory.
 */
import { join } from 'node:path';
import { StillpointError } from '../../errors';
import type { Connection } from './connection';

/** What the search needs: superuser, or all of these. */
export const LOCATE_LOG_FUNCTIONS = ['pg_ls_dir(text, boolean, boolean)', 'pg_stat_file(text, boolean)'] as const;
export const LOCATE_LOG_ROLE = 'pg_read_server_files';

/** How deep below a mount the folder may be: operators put it at `/wal/pg_wal`, `/pgwal/pg17_wal` and the like. */
const DEPTH = 2;
/** More folders than any of them has at that depth; a mount of user files must not be walked for minutes. */
const FOLDERS_MAX = 500;
const SYSTEM_FOLDERS = ['/proc', '/sys', '/dev', '/run', '/var/run'];

/**
 * The same folder: the same entries, made and changed in the same seconds. Two servers' logs differ in that, a link and
 * its target do not.
 */
const SAME_AS_PG_WAL = `
  SELECT c.dir
    FROM unnest($1::text[]) AS c(dir), pg_stat_file('pg_wal', true) AS w, pg_stat_file(c.dir, true) AS s
   WHERE s.isdir AND (s.size, s.modification, s.change) = (w.size, w.modification, w.change)
     AND ARRAY(SELECT pg_ls_dir(c.dir, true, false) ORDER BY 1) = ARRAY(SELECT pg_ls_dir('pg_wal', true, false) ORDER BY 1)`;

const SUBFOLDERS = `
  SELECT f.name FROM pg_ls_dir($1, true, false) AS f(name), pg_stat_file($1 || '/' || f.name, true) AS s WHERE s.isdir`;

/** Whether the user may look into the server's folders. */
export async function mayLocateLog(connection: Connection): Promise<boolean> {
  const sql = `
    SELECT (pg_has_role(current_user, '${LOCATE_LOG_ROLE}', 'USAGE')
            AND bool_and(has_function_privilege(current_user, f, 'EXECUTE')))::text AS may
      FROM unnest($1::text[]) AS f`;
  const functions = LOCATE_LOG_FUNCTIONS.map((name) => `"${name}"`).join(',');
  return (await connection.row('asking who may read folders', sql, [`{${functions}}`])).may === 'true';
}

/** The log's folder changes when a segment is made: a comparison may fall into that instant, two will not. */
const PASSES = 2;

/** Where the log lies, and where it may lie instead. */
export interface LogPlace {
  readonly path: string;
  /** Mounted paths that were too deep to be searched to the end; none when it was found. */
  readonly unsearched: readonly string[];
}

/** The path that the log really has. */
export async function locateLog(
  connection: Connection,
  dataDirectory: string,
  mountPaths: readonly string[],
): Promise<LogPlace> {
  let unsearched: readonly string[] = [];
  for (let pass = 1; pass <= PASSES; pass++) {
    const found = await search(connection, dataDirectory, mountPaths);
    if ('path' in found) return { path: found.path, unsearched: [] };
    unsearched = found.unsearched;
  }
  return { path: join(dataDirectory, 'pg_wal'), unsearched };
}

/** A folder, and the mount that it is below. */
interface Folder {
  readonly path: string;
  readonly mount: string;
}

async function search(
  connection: Connection,
  dataDirectory: string,
  mountPaths: readonly string[],
): Promise<{ readonly path: string } | Pick<LogPlace, 'unsearched'>> {
  const apparent = join(dataDirectory, 'pg_wal');
  let level: readonly Folder[] = mountPaths
    .filter((path) => !SYSTEM_FOLDERS.some((folder) => `${path}/`.startsWith(`${folder}/`)))
    .map((path) => ({ path, mount: path }));
  let seen = 0;
  for (let depth = 0; depth <= DEPTH && level.length > 0 && seen < FOLDERS_MAX; depth++) {
    const candidates = level.map(({ path }) => path).filter((path) => path !== apparent);
    const found = await sameAsLog(connection, candidates);
    if (found !== undefined) return { path: found };
    seen += level.length;
    const below: Folder[] = [];
    for (const { path, mount } of level) {
      for (const folder of await subfolders(connection, path)) below.push({ path: folder, mount });
    }
    // The data directory's own folders are many, and a log inside it is where it seems to be.
    level = below.filter(({ path }) => path !== dataDirectory && !path.startsWith(`${dataDirectory}/`));
  }
  return { unsearched: [...new Set(level.map(({ mount }) => mount))] };
}

/** One by one: a folder that the server may not read must not hide the others. */
async function sameAsLog(connection: Connection, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const [row] = await readable(connection.rows('looking for pg_wal', SAME_AS_PG_WAL, [`{${quoted(folder)}}`]));
    if (row?.dir !== undefined && row.dir !== null) return row.dir;
  }
  return undefined;
}

async function subfolders(connection: Connection, folder: string): Promise<readonly string[]> {
  const rows = await readable(connection.rows(`looking into ${folder}`, SUBFOLDERS, [folder]));
  return rows.flatMap(({ name }) => (typeof name === 'string' ? [join(folder, name)] : []));
}

async function readable<T>(rows: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await rows;
  } catch (error) {
    if (error instanceof StillpointError && error.code === 'privilege-missing') return [];
    throw error;
  }
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
