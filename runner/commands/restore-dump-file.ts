/** Restores one dump as the file that a new server takes when it starts; step by step. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { passedOf } from '../dump/record';
import type { DumpSource } from '../dump/source';
import type { Engine } from '../engine';
import { StillpointError } from '../errors';
import { restoreFile } from '../pipe/restore-file';
import type { Clock, Log } from '../ports';

/** What every new file system has. */
const OF_THE_FILE_SYSTEM = ['lost+found'];

/** Writes the file, which has its name only when every byte was good. Returns where it is. */
export async function restoreDumpFile(
  { record, store, object, opening }: DumpSource,
  { dump }: Engine,
  directory: string,
  context: { readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal },
): Promise<string> {
  const { log, signal } = context;
  if (dump?.file === undefined) {
    throw new StillpointError('config-invalid', `a server of ${record.engine} takes no dump as a file`, {
      hint: 'name its host: it is restored by its own tool',
    });
  }
  const path = join(directory, dump.file);
  await emptyStep(directory, dump.file);
  log.info({ step: 'restore', location: object.location, bytes: object.bytes, path }, 'step begins');
  await restoreFile(path, await store.get(object.key, { signal }), passedOf(object), { ...context, ...opening });
  return path;
}

/** A server that has started there has files of its own, and takes those (safety rule 12). */
async function emptyStep(directory: string, file: string): Promise<void> {
  const partial = `${file}.partial`;
  const names = (await entriesOf(directory)).filter((name) => !OF_THE_FILE_SYSTEM.includes(name) && name !== partial);
  if (names.length === 0) return;
  throw new StillpointError('restore-exists', `the folder ${directory} is not empty: ${names.sort().join(', ')}`, {
    hint: 'restore into a new claim, on which no server has started',
  });
}

async function entriesOf(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    throw new StillpointError('restore-failed', `the folder ${directory} cannot be read: ${(cause as Error).message}`, {
      hint: 'the volume has to belong to the user of the pod: serverUser and serverGroup',
      cause,
    });
  }
}
