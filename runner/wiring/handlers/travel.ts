/** `export`, `import` and `keygen`. */
import type { TravelHandlers } from '../../cli/travel';
import type { World } from '../world';

export function travelHandlers(world: World): TravelHandlers {
  return {
    async export(name, options) {
      const { exportHandler } = await import('../travel');
      return await exportHandler(name, options, world);
    },

    async import(file, options) {
      const { importHandler } = await import('../travel');
      return await importHandler(file, options, world);
    },

    async keygen(options) {
      const { keygenHandler } = await import('../travel');
      return await keygenHandler(options);
    },
  };
}
