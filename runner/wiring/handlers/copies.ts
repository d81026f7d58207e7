/** `copy-files` and `restore-copy`. */
import type { CopyHandlers } from '../../cli/copies';
import type { World } from '../world';

export function copyHandlers(world: World): CopyHandlers {
  return {
    async copyFiles(options) {
      const { copyFilesHandler } = await import('../copy');
      return await copyFilesHandler(options, world);
    },

    async restoreCopy(options) {
      const { restoreCopyHandler } = await import('../copy');
      return await restoreCopyHandler(options, world);
    },
  };
}
