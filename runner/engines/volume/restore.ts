/** Restored files are what they were: nothing is to be prepared, and no server starts on them. */
import { stat } from 'node:fs/promises';
import type { Inspection, MountedVolume, PreparedFiles, ServerCommand } from '../../engine';
import { StillpointError } from '../../errors';

export async function prepare(volumes: readonly MountedVolume[]): Promise<PreparedFiles> {
  const path = volumes[0]?.path ?? '';
  const { uid, gid } = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new StillpointError('restore-failed', `the restored volume at ${path} cannot be read (${cause.code})`, {
      cause,
    });
  });
  return { dataPath: path, uid, gid, done: ['the files are as they were: there is no server to prepare them for'] };
}

export function serverCommand(): ServerCommand {
  throw noServer();
}

export async function inspect(): Promise<Inspection> {
  throw noServer();
}

function noServer(): StillpointError {
  return new StillpointError('backup-not-restorable', 'a backup of plain volumes has no server that could be started', {
    hint: 'leave --start out',
  });
}
