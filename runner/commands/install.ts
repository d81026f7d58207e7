/** Copies the runner with its own Node and libraries into a folder: how it comes into an image that is not its own. */
import { access, constants, cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StillpointError } from '../errors';

/** What the runner's image has besides the program, and what both lie in. */
const PARTS = ['bin', 'lib', 'chunks', 'cache', 'stillpoint.mjs'] as const;

/** Copies what lies beside the program. Node does the copying: a distroless image has no `cp`. */
export async function install(program: string, folder: string): Promise<void> {
  const own = dirname(program);
  try {
    for (const part of PARTS) {
      await cp(join(own, part), join(folder, part), {
        recursive: true,
        verbatimSymlinks: true,
        preserveTimestamps: true,
        // Node keeps what it has compiled for one user alone. To another it is of no use, and is not missed.
        ...(part === 'cache' ? { filter: isReadable } : {}),
      });
    }
  } catch (cause) {
    throw new StillpointError('directory-unusable', `the runner could not be copied to ${folder}: ${String(cause)}`, {
      hint: "it is copied from its own image, into a volume of the pod: look at the volume's size limit",
      cause,
    });
  }
}

async function isReadable(path: string): Promise<boolean> {
  return await access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
