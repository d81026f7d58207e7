/** `clone`. */
import type { CloneHandlers } from '../../cli/clone';
import type { World } from '../world';

export function cloneHandlers(world: World): CloneHandlers {
  return {
    async clone(name, options) {
      const { cloneHandler } = await import('../clone');
      return await cloneHandler(name, options, world);
    },
  };
}
