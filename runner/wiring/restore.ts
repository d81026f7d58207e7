/** `stillpoint restore`: into claims of a cluster, or into folders. */
import { resolve } from 'node:path';
import { timeLimit } from '../abort';
import type { RestoreCommandOptions } from '../cli/restore';
import { type RestoreContext, type RestoreOptions, restore } from '../commands/restore';
import { undoRestore } from '../commands/undo-restore';
import { StillpointError } from '../errors';
import { formatRestore, formatUndone } from '../output/restore';
import type { RestoreSite } from '../restore/site';
import { givenFlag, refuseDumpFlags, refuseStoreFlags } from './flags';
import { theNamespace } from './namespace';
import { engineOf, type World } from './world';

/** Restores the named backup, or undoes a restore. */
export async function restoreHandler(
  name: string | undefined,
  options: RestoreCommandOptions,
  world: World,
): Promise<string> {
  const { clock, signal } = world;
  refuseInPlaceFlags(options);
  refuseDumpFlags(options);
  refuseStoreFlags(options);
  using limit = timeLimit(
    clock,
    options.timeout,
    () => new StillpointError('restore-failed', `the restore was not done after ${options.timeout / 1000} s`),
  );
  const context = await restoreContext(options, { ...world, signal: AbortSignal.any([signal, limit.signal]) });
  if (options.undo !== undefined) {
    const namespace = options.toNamespace ?? context.namespace ?? '';
    return formatUndone(await undoRestore(context.site, { name: options.undo, namespace }), options.output);
  }
  if (name === undefined) {
    throw new StillpointError('usage-invalid', 'restore needs the name of a backup', {
      hint: '`stillpoint list` shows the backups; `latest` stands for the newest that succeeded',
    });
  }
  const filter = { namespace: options.allNamespaces === true ? undefined : context.namespace };
  return formatRestore(await restore(context, { ...wishes(options), backup: name, filter }), options.output);
}

/** What is said of a restore in place is not left out of another one without a word. */
function refuseInPlaceFlags({ dryRun, backupFirst, oneMember, despiteControllers }: RestoreCommandOptions): void {
  const flag = givenFlag({ dryRun, backupFirst, oneMember, despiteControllers });
  if (flag === undefined) return;
  throw new StillpointError('usage-invalid', `${flag} goes with --in-place alone`, {
    hint: 'give --in-place, or leave it out: a restore beside the original makes new claims and touches nothing else',
  });
}

function wishes(options: RestoreCommandOptions): Omit<RestoreOptions, 'backup' | 'filter'> {
  const { claim, size, storageClass, toNamespace, image, directory, start, keep, resource } = options;
  const into =
    directory === undefined
      ? { claims: claim ?? [], sizes: size ?? [], storageClass, namespace: toNamespace, image }
      : { directory: resolve(directory) };
  return { into, start: start === true, keep: keep === true, resource };
}

/** The site of the restore, and the namespace that is meant (none unless named for folders). */
async function restoreContext(
  options: RestoreCommandOptions,
  world: World,
): Promise<RestoreContext & { readonly namespace: string | undefined }> {
  const { log, signal } = world;
  const say = (line: string): void => log.info({}, line);
  if (options.registryDirectory !== undefined) {
    const { localRegistry, localRestoreSite, localUses } = await import('./local');
    return {
      registry: localRegistry(options.registryDirectory, world),
      uses: localUses(options.registryDirectory, world),
      site: localRestoreSite(world),
      engineOf,
      say,
      signal,
      namespace: options.namespace,
    };
  }
  const { connect, kubernetesRegistry, kubernetesUses } = await import('./kubernetes');
  const client = await connect(options, world);
  const site: RestoreSite = await kubernetesSite(client, options, world);
  const registry = kubernetesRegistry(client, options.registry, world);
  const uses = kubernetesUses(client, options.registry, world);
  const { KubernetesResourceSite } = await import('../kube/resource-site');
  const resources = new KubernetesResourceSite(client, options.registry);
  return { registry, uses, site, resources, engineOf, say, signal, namespace: theNamespace(options, client) };
}

async function kubernetesSite(
  client: Awaited<ReturnType<typeof import('./kubernetes').connect>>,
  { timeout }: RestoreCommandOptions,
  { clock, log }: World,
): Promise<RestoreSite> {
  const { KubernetesRestoreSite } = await import('../kube/restore-site');
  const warn = (line: string): void => log.warn({}, line);
  return new KubernetesRestoreSite({ client, clock, inspectSeconds: Math.ceil(timeout / 1000), warn });
}
