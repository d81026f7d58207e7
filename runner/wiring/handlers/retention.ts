/** `protect` and `release`. */
import { userInfo } from 'node:os';
import type { GlobalOptions } from '../../cli/options';
import type { RetentionHandlers } from '../../cli/retention';
import { type ProtectContext, protect, release } from '../../commands/protect';
import type { World } from '../world';
import { filterOf } from './context';

export function retentionHandlers(world: World): RetentionHandlers {
  return {
    async protect(name, { reason, ...options }) {
      return await protect(await contextOf(options, world), name, { ...filterOf(options), reason });
    },

    async release(name, { reason, ...options }) {
      return await release(await contextOf(options, world), name, { ...filterOf(options), reason });
    },
  };
}

/** In a cluster one is who the API server says, on this machine who has logged in. */
async function contextOf(options: GlobalOptions, world: World): Promise<ProtectContext> {
  const { clock } = world;
  if (options.registryDirectory !== undefined) {
    const { localRegistry } = await import('../local');
    return { clock, registry: localRegistry(options.registryDirectory, world), who: userInfo().username };
  }
  const { connect, kubernetesRegistry, whoAmI } = await import('../kubernetes');
  const client = await connect(options, world);
  const registry = kubernetesRegistry(client, options.registry, world);
  return { clock, registry, who: (await whoAmI(client)) ?? userInfo().username };
}
