/** `stillpoint restore --in-place`, and its undoing. */
import { inPlaceAccess } from '../../src/contract';
import { timeLimit } from '../abort';
import type { RestoreCommandOptions } from '../cli/restore';
import { type InPlaceContext, restoreInPlace } from '../commands/restore-in-place';
import { undoInPlace } from '../commands/undo-in-place';
import { StillpointError } from '../errors';
import { checkAccess } from '../kube/access-check';
import { KubernetesInPlaceSite } from '../kube/in-place/site';
import { failureOfJob, startJob } from '../kube/jobs';
import { KubernetesRestoreSite } from '../kube/restore-site';
import { formatInPlace } from '../output/in-place';
import { givenFlag, refuseDumpFlags, refuseStoreFlags } from './flags';
import type { Terminal } from './handlers/terminal';
import { connect, kubernetesLocks, kubernetesRegistry, kubernetesUses } from './kubernetes';
import { namespaceOf, theNamespace } from './namespace';
import { engineOf, type World } from './world';

/** Restores in place, goes on with it, or undoes it. */
export async function inPlaceHandler(
  name: string | undefined,
  options: RestoreCommandOptions,
  world: World,
  terminal: Terminal,
): Promise<string> {
  refuseOthers(options);
  refuseDumpFlags(options);
  refuseStoreFlags(options);
  using limit = timeLimit(
    world.clock,
    options.timeout,
    () =>
      new StillpointError('in-place-stopped', `the restore in place was not done after ${options.timeout / 1000} s`),
  );
  const signal = AbortSignal.any([world.signal, limit.signal]);
  const { context, namespace: current } = await inPlaceContext(options, { ...world, signal }, terminal);
  const { undo, output, yes = false, image } = options;
  if (undo !== undefined) {
    if (options.dryRun === true) {
      throw new StillpointError('usage-invalid', '--dry-run does not go with --undo: nothing was done', {
        hint: 'without --yes it says what it is going to do, and asks',
      });
    }
    return formatInPlace(await undoInPlace(context, { id: undo, namespace: current, yes }), output);
  }
  if (name === undefined) {
    throw new StillpointError('usage-invalid', 'restore --in-place needs the name of a backup', {
      hint: '`stillpoint list` shows the backups; `latest` stands for the newest that succeeded',
    });
  }
  const result = await restoreInPlace(context, {
    backup: name,
    filter: { namespace: namespaceOf(options, { namespace: current }) },
    yes,
    image,
    dryRun: options.dryRun === true,
    backupFirst: options.backupFirst,
    oneMember: options.oneMember === true,
    despiteControllers: options.despiteControllers === true,
  });
  return formatInPlace(result, output);
}

/** What is restored in place has its names, its classes and its sizes already. */
function refuseOthers(options: RestoreCommandOptions): void {
  const { claim, toNamespace, storageClass, size, directory, start, keep, host } = options;
  const flag = givenFlag({ claim, toNamespace, storageClass, size, directory, start, keep, host });
  if (flag === undefined) return;
  throw new StillpointError('usage-invalid', `${flag} does not go with --in-place`, {
    hint: 'in place the claims have their names, sizes and classes already; leave it out, or restore beside',
  });
}

async function inPlaceContext(
  options: RestoreCommandOptions,
  world: World,
  terminal: Terminal,
): Promise<{ readonly context: InPlaceContext; readonly namespace: string }> {
  const { clock, log, signal } = world;
  const client = await connect(options, world);
  const copies = new KubernetesRestoreSite({
    client,
    clock,
    inspectSeconds: Math.ceil(options.timeout / 1000),
    warn: (line) => log.warn({}, line),
  });
  const context: InPlaceContext = {
    registry: kubernetesRegistry(client, options.registry, world),
    uses: kubernetesUses(client, options.registry, world),
    site: new KubernetesInPlaceSite(client, clock),
    copies,
    engineOf,
    locksOf: (namespace) => kubernetesLocks(client, namespace, world),
    clock,
    say: (line) => log.info({}, line),
    signal,
    // With --dry-run it is the result itself; else it is said on the side of that.
    show: options.dryRun === true && isText(options.output) ? terminal.print : terminal.note,
    confirm: terminal.confirm,
    missingRights: async (namespace) => {
      const namespaces = { database: namespace, registry: options.registry };
      const hint = 'InPlaceAccess gives these rights: docs/in-place.md';
      return await checkAccess(client, inPlaceAccess(), namespaces, { needed: hint, optional: hint });
    },
    saveNow: async ({ namespace, policy }) => {
      const job = await startJob(client, { namespace, name: policy }, clock);
      const failure = await failureOfJob({ client, clock, signal }, job);
      if (failure === undefined) return job.backup;
      throw new StillpointError(
        'wait-impossible',
        `job ${namespace}/${job.name} of policy ${policy} failed: ${failure}`,
        {
          hint: `kubectl logs -n ${namespace} job/${job.name}; --no-backup-first goes on without`,
        },
      );
    },
  };
  return { context, namespace: theNamespace(options, client) };
}

function isText(output: RestoreCommandOptions['output']): boolean {
  return output === 'table' || output === 'wide';
}
