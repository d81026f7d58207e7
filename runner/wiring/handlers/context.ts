/** What several handlers need: the ports of a backup, a registry, and where to look. */
import { COMPONENTS, LABELS } from '../../../src/contract';
import type { GlobalOptions } from '../../cli/options';
import type { BackupContext } from '../../commands/backup';
import { readConfig } from '../../config';
import { StillpointError } from '../../errors';
import type { RecordFilter, Registry } from '../../ports';
import type { World } from '../world';

/** Everything that a backup by a job config needs: folders or a cluster, as the config says. */
export async function backupContext(file: string, options: GlobalOptions, world: World): Promise<BackupContext> {
  const config = await readConfig(file);
  const { isLocal, localBackup } = await import('../local');
  if (isLocal(config)) return await localBackup(config, world);
  const { connect, kubernetesBackup } = await import('../kubernetes');
  return await kubernetesBackup(config, options, await connect(options, world), world);
}

/** The records: in a folder where one is named, else in the cluster. */
export async function registryOf(options: GlobalOptions, world: World): Promise<Registry> {
  if (options.registryDirectory !== undefined) {
    const { localRegistry } = await import('../local');
    return localRegistry(options.registryDirectory, world);
  }
  const { connect, kubernetesRegistry } = await import('../kubernetes');
  return kubernetesRegistry(await connect(options, world), options.registry, world);
}

/** Where to look: in one namespace or, with -A or when none is said, in all. */
export function filterOf({ namespace, allNamespaces }: GlobalOptions, database?: string): RecordFilter {
  return { database, namespace: allNamespaces === true ? undefined : namespace };
}

/** An argument that a command cannot do without in this form of it. */
export function required(value: string | undefined, command: string): string {
  if (value !== undefined) return value;
  throw new StillpointError('usage-invalid', `${command} needs the name of a policy, or --config`, {
    hint: `see which there are: kubectl get cronjobs -A -l ${LABELS.component}=${COMPONENTS.backup}`,
  });
}
