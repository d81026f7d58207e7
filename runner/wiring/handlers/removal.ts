/** `delete` and `prune`. */
import { randomUUID } from 'node:crypto';
import type { GlobalOptions } from '../../cli/options';
import type { RemovalHandlers } from '../../cli/removal';
import { type DeleteContext, deleteBackup } from '../../commands/delete';
import { type PruneContext, planPrune, prune } from '../../commands/prune';
import { StillpointError } from '../../errors';
import { formatPlan } from '../../output/plan';
import type { World } from '../world';
import { filterOf } from './context';
import type { Terminal } from './terminal';

export function removalHandlers(world: World, { confirm }: Terminal): RemovalHandlers {
  const { clock, log } = world;
  return {
    async delete(name, options) {
      const removal = await removalOf(options, world);
      return await deleteBackup({ ...removal, clock, confirm }, name, {
        ...filterOf(options),
        yes: options.yes === true,
      });
    },

    async prune(options) {
      const removal = { ...(await removalOf(options, world)), clock, log };
      const filter = filterOf(options);
      if (options.dryRun === true) return formatPlan(await planPrune(removal, filter), options.output);
      const { removed, cleaned, left } = await prune(removal, filter);
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
): Promise<Pick<DeleteContext & PruneContext, 'registry' | 'policies' | 'uses' | 'remover' | 'locksOf' | 'holder'>> {
  const holder = randomUUID();
  if (options.registryDirectory !== undefined) {
    const { localLocks, localPolicies, localRegistry, localRemover, localUses } = await import('../local');
    const directory = options.registryDirectory;
    return {
      holder,
      registry: localRegistry(directory, world),
      policies: localPolicies(directory, world),
      uses: localUses(directory, world),
      remover: localRemover(world),
      locksOf: () => localLocks(directory),
    };
  }
  const { connect, kubernetesLocks, kubernetesPolicies, kubernetesRegistry, kubernetesRemover, kubernetesUses } =
    await import('../kubernetes');
  const client = await connect(options, world);
  return {
    holder,
    registry: kubernetesRegistry(client, options.registry, world),
    policies: kubernetesPolicies(client, options.registry, world),
    uses: kubernetesUses(client, options.registry, world),
    remover: kubernetesRemover(client, world),
    locksOf: (namespace) => kubernetesLocks(client, namespace, world),
  };
}
