/** `protect` and `release`. */
import { userInfo } from 'node:os';
import type { GlobalOptions } from '../../cli/options';
import type { RetentionHandlers } from '../../cli/retention';
import { type ProtectContext, protect, release } from '../../commands/protect';
import { namespaceOf } from '../namespace';
import type { World } from '../world';
import type { Records } from './context';

export function retentionHandlers(world: World): RetentionHandlers {
  return {
    async protect(name, { reason, ...options }) {
      const { where, ...context } = await contextOf(options, world);
      return await protect(context, name, { ...where, reason });
    },

    async release(name, { reason, ...options }) {
      const { where, ...context } = await contextOf(options, world);
      return await release(context, name, { ...where, reason });
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
