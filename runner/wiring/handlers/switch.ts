import type { SwitchHandlers } from '../../cli/switch';
import type { World } from '../world';

export function switchHandlers(world: World): SwitchHandlers {
  return {
    async switch(alias, options) {
      const { switchHandler } = await import('../switch');
      return await switchHandler(alias, options, world);
    },
  };
}
