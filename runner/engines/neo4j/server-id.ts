/** The file by which a server of Neo4j knows itself. */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** It is there as soon as a server has started on a data directory. */
export const SERVER_ID = 'server_id';

/**
 * A server writes it once and does not sync it, and none starts on an empty one (docs/decisions/0073). Each makes a new one where
 * there is none. Says whether it was empty, and is gone.
 */
export async function removeEmptyServerId(directory: string): Promise<boolean> {
  const path = join(directory, SERVER_ID);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true || found.size > 0) return false;
  await rm(path);
  return true;
}
