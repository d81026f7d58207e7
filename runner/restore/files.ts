/** Small files among restored ones: read where they are, written durably as their owner. */
import { chown, open, readFile, rename, stat } from 'node:fs/promises';
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

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
