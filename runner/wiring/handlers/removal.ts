/** `delete` and `prune`. */
import type { GlobalOptions } from '../../cli/options';
import type { RemovalHandlers } from '../../cli/removal';
import { type DeleteContext, deleteBackups } from '../../commands/delete';
import { prune } from '../../commands/prune';
import { StillpointError } from '../../errors';
import { namespaceOf } from '../namespace';
import type { World } from '../world';
import type { Records } from './context';
import type { Terminal } from './terminal';

export function removalHandlers(world: World, { confirm, print }: Terminal): RemovalHandlers {
  const { clock, log } = world;
  return {
    async delete(names, { yes = false, dryRun, withData, ...options }) {
      const { where, ...removal } = await removalOf(options, world);
      for await (const line of deleteBackups({ ...removal, clock, confirm }, names, {
        ...where,
        yes,
        dryRun,
        withData,
      })) {
        print(line);
      }
      return '';
    },

    async prune(options) {
      const { removed, cleaned, left } = await prune({ ...(await removalOf(options, world)), log });
      if (left.length === 0) return `removed ${removed.length}, cleaned ${cleaned.length}\n`;
      throw new StillpointError('delete-incomplete', `of these backups something is still there: ${left.join(', ')}`, {
        hint: 'the next prune tries again; the log says what was in the way',
      });
    },
  };
}

async function removalOf(
  options: GlobalOptions,
  world: World,
): Promise<Pick<DeleteContext, 'registry' | 'remover' | 'locksOf'> & Records> {
  if (options.registryDirectory !== undefined) {
    const { localLocks, localRegistry, localRemover } = await import('../local');
    const directory = options.registryDirectory;
    return {
      registry: localRegistry(directory, world),
      remover: localRemover(world),
      locksOf: () => localLocks(directory),
      where: { namespace: namespaceOf(options) },
    };
  }
  const { connect, kubernetesLocks, kubernetesRegistry, kubernetesRemover } = await import('../kubernetes');
  const client = await connect(options, world);
  return {
    registry: kubernetesRegistry(client, options.registry, world),
    remover: kubernetesRemover(client, world),
    locksOf: (namespace) => kubernetesLocks(client, namespace, world),
    where: { namespace: namespaceOf(options, client) },
  };
}
