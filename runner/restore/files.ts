/** Small files among restored ones: read where they are, written durably as their owner. */
import { chown, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Whom the files of a server belong to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whether a path leads to something. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The text of a file; empty when there is none. */
export async function readIfThere(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
}

/** Writes a file as the given owner, durably, and whole or not at all. */
export async function writeDurably(path: string, content: string, { uid, gid }: Owner): Promise<void> {
  const partial = `${path}.stillpoint`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  if (process.getuid?.() !== uid) await chown(partial, uid, gid);
  await rename(partial, path);
  await syncFolder(dirname(path));
}

/**
 * Keeps a file as it is beside itself, once for a backup: what is kept already is older than what is there. An empty one
 * stands for none.
 */
export async function keepOriginal(path: string, backup: string, owner: Owner): Promise<void> {
  const kept = keptPath(path, backup);
  if (!(await exists(kept))) await writeDurably(kept, await readIfThere(path), owner);
}

/** Puts back what was kept. Answers whether there was anything. */
export async function putBackOriginal(path: string, backup: string, owner: Owner): Promise<boolean> {
  const kept = keptPath(path, backup);
  if (!(await exists(kept))) return false;
  const content = await readFile(kept, 'utf8');
  if (content === '') await rm(path, { force: true });
  else await writeDurably(path, content, owner);
  await rm(kept);
  await syncFolder(dirname(path));
  return true;
}

/** Named for the backup: a copy that is backed up and restored again may hold what an earlier restore has kept. */
function keptPath(path: string, backup: string): string {
  return `${path}.stillpoint-${backup}`;
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
