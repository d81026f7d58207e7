/** A stored content → a file that a server reads when it starts. It has its name only when the content was good to its end. */
import { constants } from 'node:fs';
import { link, lstat, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StillpointError } from '../errors';
import type { Passed, PipeOptions } from './dump';
import { logProgress } from './progress';
import { type Opening, opened } from './restore';
import type { Content } from './stages';

/** Writes what was dumped into a new file. Throws restore-exists when there is one: nothing is overwritten (safety rule 12). */
export async function restoreFile(
  path: string,
  content: Content,
  written: Passed,
  options: Pick<PipeOptions, 'clock' | 'log' | 'signal'> & Opening,
): Promise<void> {
  // In the same folder, so that it can be given its name in one step. What an earlier attempt has left of it is ours.
  const partial = `${path}.partial`;
  let bytes = 0;
  using _ = logProgress(options, `restoring ${path}`, () => bytes, written.plainBytes);
  try {
    // Asked again at the end, in one step with the naming; here it spares the reading.
    if (await isThere(path)) throw exists(path);
    await rm(partial, { force: true });
    await using file = await open(partial, 'wx', 0o600);
    for await (const chunk of opened(content, written, options)) {
      options.signal.throwIfAborted();
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
    await file.sync();
    // Unlike a renaming, a link never takes the place of what is there.
    await link(partial, path);
    await syncFolder(dirname(path));
  } catch (thrown) {
    options.signal.throwIfAborted();
    throw translate(thrown, path);
  } finally {
    await rm(partial, { force: true });
  }
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

const exists = (path: string, cause?: unknown): StillpointError =>
  new StillpointError('restore-exists', `there is a file ${path} already`, {
    hint: 'restore into an empty data directory',
    cause,
  });

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await folder.sync();
}

function translate(thrown: unknown, path: string): unknown {
  if (thrown instanceof StillpointError || !(thrown instanceof Error) || !('syscall' in thrown)) return thrown;
  if ('code' in thrown && thrown.code === 'EEXIST') return exists(path, thrown);
  return new StillpointError('restore-failed', `the file ${path} cannot be written: ${thrown.message}`, {
    hint: 'the volume needs room for the whole file, and has to belong to the user of the pod',
    cause: thrown,
  });
}
