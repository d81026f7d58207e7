/** `delete` and `prune`. */
import { randomUUID } from 'node:crypto';
import type { GlobalOptions } from '../../cli/options';
import type { RemovalHandlers } from '../../cli/removal';
import { type DeleteContext, deleteBackups } from '../../commands/delete';
import { type PruneContext, planPrune, prune } from '../../commands/prune';
import { pruneOnDemand } from '../../commands/prune-on-demand';
import { StillpointError } from '../../errors';
import { formatPlan } from '../../output/plan';
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
      const removal = { ...(await removalOf(options, world)), clock, log };
      // The registry as a whole, unless a namespace is named: what is to be done does not depend on who is where.
      const filter = { namespace: options.allNamespaces === true ? undefined : options.namespace };
      if (options.dryRun === true) return formatPlan(await planPrune(removal, filter), options.output);
      if (options.onDemand === true) return await onDemand(removal, options, world);
      const { removed, cleaned, left } = await prune(removal, filter);
      if (left.length === 0) return `removed ${removed.length}, cleaned ${cleaned.length}\n`;
      throw new StillpointError('delete-incomplete', `of these backups something is still there: ${left.join(', ')}`, {
        hint: 'the next prune tries again; the log says what was in the way',
      });
    },
  };
}

/** What the pruner's Deployment runs: it prunes, and waits for the end that its rest brings. */
async function onDemand(removal: PruneContext, options: GlobalOptions, world: World): Promise<string> {
  const { connect, kubernetesPruner } = await import('../kubernetes');
  await pruneOnDemand(removal, kubernetesPruner(await connect(options, world), options.registry));
  const { signal } = world;
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return '';
}

async function removalOf(
  options: GlobalOptions,
  world: World,
): Promise<
  Pick<DeleteContext & PruneContext, 'registry' | 'policies' | 'uses' | 'remover' | 'locksOf' | 'holder'> & Records
> {
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
      where: { namespace: namespaceOf(options) },
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
    where: { namespace: namespaceOf(options, client) },
  };
}
