/** A file that is there while one process works; one that a dead process has left is taken over. */
import { link, open, readFile, rename, rm, unlink } from 'node:fs/promises';

/** Who holds a lock file. */
interface Holder {
  readonly pid: number;
  readonly holder: string;
}

/** Makes the file. Answers with what removes it, or with the holder's name when a living process has it. */
export async function takeLockFile(
  path: string,
  holder: string,
): Promise<{ readonly release: () => Promise<void> } | { readonly heldBy: string }> {
  for (;;) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(JSON.stringify({ pid: process.pid, holder } satisfies Holder)).finally(() => file.close());
      return { release: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const found = await readHolder(path);
    if (found === 'gone') continue;
    if (isAlive(found.pid)) return { heldBy: found.holder };
    await removeStale(path);
  }
}

/** Who holds a lock file; undefined when there is none, or its process is gone. */
export async function holderOf(path: string): Promise<string | undefined> {
  const found = await readHolder(path);
  return found !== 'gone' && isAlive(found.pid) ? found.holder : undefined;
}

/** An unreadable one is being written this instant: its process lives. */
async function readHolder(path: string): Promise<Holder | 'gone'> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'gone';
    if (error instanceof SyntaxError) return { pid: process.pid, holder: 'a process that is just starting' };
    throw error;
  }
}

/** Moved away before it is removed: of two that do so, one would else remove the other's new file. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
    const moved = await readHolder(aside);
    if (moved !== 'gone' && isAlive(moved.pid)) await link(aside, path);
    await unlink(aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process may not be signalled, but lives.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
