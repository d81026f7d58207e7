/** `delete` and `prune`. */
import { randomUUID } from 'node:crypto';
import { untilAborted } from '../../abort';
import type { GlobalOptions } from '../../cli/options';
import type { RemovalHandlers, StoresOption } from '../../cli/removal';
import { type DeleteContext, deleteBackups } from '../../commands/delete';
import { type PruneContext, type PruneResult, planPrune, prune } from '../../commands/prune';
import { pruneOnDemand } from '../../commands/prune-on-demand';
import { asStillpointError, StillpointError } from '../../errors';
import type { KubeClient } from '../../kube/client';
import { formatPlan, formatPruned } from '../../output/plan';
import type { Remover } from '../../ports';
import { namespaceOf } from '../namespace';
import type { World } from '../world';
import type { Records } from './context';
import type { Terminal } from './terminal';
import { printTold } from './told';

export function removalHandlers(world: World, terminal: Terminal): RemovalHandlers {
  const { clock, log } = world;
  return {
    async delete(names, { yes = false, dryRun, withData, selector, output, ...options }) {
      const { where, ...removal } = await removalOf(options, world);
      const context = { ...removal, clock, confirm: terminal.confirm };
      const told = deleteBackups(context, names, { ...where, selector, yes, dryRun, withData });
      return await printTold(terminal, told, { names, output });
    },

    async prune(options) {
      const removal = { ...(await removalOf(options, world, { inTurns: true })), clock, log };
      // The registry as a whole, unless a namespace is named: what is to be done does not depend on who is where.
      const filter = { namespace: options.allNamespaces === true ? undefined : options.namespace };
      if (options.dryRun === true) return formatPlan(await planPrune(removal, filter), options.output);
      if (options.onDemand === true) return await onDemand(removal, options, world);
      const result = await prune(removal, filter);
      const { left } = result;
      const copying = copyRecordsAfter(result, options, world);
      if (left.length === 0) {
        await copying;
        return formatPruned(result, options.output);
      }
      // What was left is the worse news; that of the copies is in the log.
      await copying.catch((thrown: unknown) => tellUncopied(thrown, world));
      throw new StillpointError('delete-incomplete', `of these backups something is still there: ${left.join(', ')}`, {
        hint: 'the next prune tries again; the log says what was in the way',
      });
    },
  };
}

/** What the pruner's Deployment runs: it prunes, and waits for the end that its rest brings. */
async function onDemand(removal: PruneContext, options: GlobalOptions & StoresOption, world: World): Promise<string> {
  const { connect, kubernetesPruner } = await import('../kubernetes');
  // Before it rests, since it may be gone then; what it could not copy waits for the hour.
  const afterwards = async (result: PruneResult): Promise<void> => {
    await copyRecordsAfter(result, options, world).catch((thrown: unknown) => tellUncopied(thrown, world));
  };
  await pruneOnDemand(removal, kubernetesPruner(await connect(options, world), options.registry), afterwards);
  await untilAborted(world.clock, world.signal);
  return '';
}

function tellUncopied(thrown: unknown, { log }: World): void {
  const { code, message } = asStillpointError(thrown);
  log.error({ code }, `records were not copied: ${message}`);
}

async function copyRecordsAfter(
  { removed }: PruneResult,
  options: GlobalOptions & StoresOption,
  world: World,
): Promise<void> {
  if (options.stores === undefined || options.registryDirectory !== undefined) return;
  const { copyRecordsHandler } = await import('../copy-records');
  await copyRecordsHandler(options.stores, removed, options, world);
}

async function removalOf(
  options: GlobalOptions & StoresOption,
  world: World,
  { inTurns = false } = {},
): Promise<
  Pick<
    DeleteContext & PruneContext,
    'registry' | 'policies' | 'uses' | 'remover' | 'locksOf' | 'holder' | 'missingOf' | 'handover'
  > &
    Records
> {
  const holder = randomUUID();
  const { objectsRemover, objectsRemoverOfRecords } = await import('../dump');
  const { AskingRemover, removerOf } = await import('../../dump/remover');
  const { stores } = options;
  const objects = async (otherwise: () => Remover): Promise<Remover> =>
    stores === undefined ? otherwise() : await objectsRemover(stores, world);
  if (options.registryDirectory !== undefined) {
    const { localLocks, localPolicies, localRegistry, localRemover, localUses } = await import('../local');
    const directory = options.registryDirectory;
    return {
      holder,
      registry: localRegistry(directory, world),
      policies: localPolicies(directory, world),
      uses: localUses(directory, world),
      remover: removerOf(localRemover(world), await objects(() => objectsRemoverOfRecords(world))),
      locksOf: () => localLocks(directory),
      where: { namespace: namespaceOf(options) },
    };
  }
  const {
    connect,
    kubernetesLocks,
    kubernetesPolicies,
    kubernetesPruner,
    kubernetesRegistry,
    kubernetesRemover,
    kubernetesUses,
  } = await import('../kubernetes');
  const { KubernetesImportedLook } = await import('../../kube/imported-look');
  const { keepsRecordCopies } = await import('../../kube/pruner');
  const { Handover } = await import('../../handover');
  const { withCopies } = await import('../copy-records');
  const client = await connect(options, world);
  const registry = kubernetesRegistry(client, options.registry, world);
  const look = new KubernetesImportedLook(client, world.clock);
  const pruner = kubernetesPruner(client, options.registry);
  const data = removerOf(
    inTurns
      ? await removerInTurns(client, { namespace: options.registry, holder }, world)
      : kubernetesRemover(client, world),
    await objects(() => new AskingRemover(pruner, registry, world.clock)),
  );
  const handsOver = stores === undefined && (await keepsRecordCopies(client, options.registry));
  return {
    holder,
    handover: handsOver ? new Handover({ registry, pruner, clock: world.clock }) : undefined,
    missingOf: (imported) => look.missing(imported, world.signal),
    registry,
    policies: kubernetesPolicies(client, options.registry, world),
    uses: kubernetesUses(client, options.registry, world),
    remover: stores === undefined ? data : await withCopies(data, stores, client, options.registry, world),
    locksOf: (namespace) => kubernetesLocks(client, namespace, world),
    where: { namespace: namespaceOf(options, client) },
  };
}

/** Nobody waits for a prune: it may wait itself. A person who deletes does not. */
async function removerInTurns(
  client: KubeClient,
  who: { readonly namespace: string; readonly holder: string },
  world: World,
): Promise<Remover> {
  const { kubernetesRemover, slotsOfRegistry } = await import('../kubernetes');
  const { RemoverInTurns } = await import('../../removal-turns');
  const slots = slotsOfRegistry(client, { ...who, count: 1, limitMs: TURN_WAIT_MS }, world);
  return new RemoverInTurns(kubernetesRemover(client, world), { ...world, slots });
}

/** Longer than this a prune does not wait for one turn. */
const TURN_WAIT_MS = 600_000;
