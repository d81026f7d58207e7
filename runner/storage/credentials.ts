/** Credentials of stores, as a Secret mounts them: a file for each key. Read anew each time: Secrets are renewed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StillpointError } from '../errors';

/** What a key of the Secret says; undefined where it is not there. */
export async function readKey(folder: string, key: string): Promise<string | undefined> {
  try {
    const text = (await readFile(join(folder, key), 'utf8')).replace(/\r?\n$/, '');
    return text === '' ? undefined : text;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(folder, key, `cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}

/** The same of a key that has to be there. */
export async function needKey(folder: string, key: string): Promise<string> {
  const value = await readKey(folder, key);
  if (value === undefined) throw unreadable(folder, key, 'is missing, or empty');
  return value;
}

/** The credentials are there, and are not what they should be. Never says what they are. */
export function unreadable(folder: string, key: string, what: string, cause?: unknown): StillpointError {
  return new StillpointError(
    'credentials-unreadable',
    `the file ${join(folder, key)} with credentials of the store ${what}`,
    {
      hint: `look at the key ${key} of the Secret that the storage names`,
      cause,
    },
  );
}
