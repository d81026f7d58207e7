/** `list`, `describe` and `wait`. */
import type { RecordHandlers } from '../../cli/records';
import { describe } from '../../commands/describe';
import { list } from '../../commands/list';
import { wait } from '../../commands/wait';
import type { World } from '../world';
import { filterOf, registryOf } from './context';

export function recordHandlers(world: World): RecordHandlers {
  const { clock, signal } = world;
  return {
    async list(database, options) {
      return await list(
        { registry: await registryOf(options, world), clock },
        { ...filterOf(options, database), ...options },
      );
    },

    async describe(name, options) {
      const registry = await registryOf(options, world);
      return await describe({ registry, clock }, name, { ...filterOf(options), output: options.output });
    },

    async wait(name, options) {
      const registry = await registryOf(options, world);
      const { for: condition, timeout: timeoutMs } = options;
      return await wait({ registry, clock, signal }, name, { ...filterOf(options), for: condition, timeoutMs });
    },
  };
}
