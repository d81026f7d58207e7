/** `protect` and `release`. */
import { userInfo } from 'node:os';
import type { GlobalOptions } from '../../cli/options';
import type { RetentionHandlers } from '../../cli/retention';
import { type ProtectContext, protect, release } from '../../commands/protect';
import { namespaceOf } from '../namespace';
import type { World } from '../world';
import type { Records } from './context';
import type { Terminal } from './terminal';
import { printTold } from './told';

export function retentionHandlers(world: World, terminal: Terminal): RetentionHandlers {
  return {
    async protect(names, { reason, selector, output, ...options }) {
      const { where, ...context } = await contextOf(options, world);
      const told = protect(context, names, { ...where, selector, reason });
      return await printTold(terminal, told, { names, output });
    },

    async release(names, { reason, selector, output, ...options }) {
      const { where, ...context } = await contextOf(options, world);
      const told = release(context, names, { ...where, selector, reason });
      return await printTold(terminal, told, { names, output });
    },
  };
}

/** In a cluster one is who the API server says, on this machine who has logged in. */
async function contextOf(options: GlobalOptions, world: World): Promise<ProtectContext & Records> {
  const { clock } = world;
  if (options.registryDirectory !== undefined) {
    const { localRegistry } = await import('../local');
    const registry = localRegistry(options.registryDirectory, world);
    return { clock, registry, who: userInfo().username, where: { namespace: namespaceOf(options) } };
  }
  const { connect, kubernetesRegistry, whoAmI } = await import('../kubernetes');
  const client = await connect(options, world);
  const registry = kubernetesRegistry(client, options.registry, world);
  const who = (await whoAmI(client)) ?? userInfo().username;
  return { clock, registry, who, where: { namespace: namespaceOf(options, client) } };
}
