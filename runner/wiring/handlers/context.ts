/** What several handlers need: the ports of a backup, a registry, and where to look. */
import { COMPONENTS, LABELS, type SnapshotConfig } from '../../../src/contract';
import type { GlobalOptions } from '../../cli/options';
import type { BackupContext } from '../../commands/backup';
import { StillpointError } from '../../errors';
import type { RecordFilter, Registry, Schedules } from '../../ports';
import { namespaceOf } from '../namespace';
import type { World } from '../world';

/** Everything that a backup by a job config needs: folders or a cluster, as the config says. */
export async function backupContext(
  config: SnapshotConfig,
  options: GlobalOptions,
  world: World,
): Promise<BackupContext> {
  const { isLocal, localBackup } = await import('../local');
  if (isLocal(config)) return await localBackup(config, world);
  const { connect, kubernetesBackup } = await import('../kubernetes');
  return await kubernetesBackup(config, options, await connect(options, world), world);
}

/** The records that the options mean. */
export interface Records {
  readonly registry: Registry;
  /** Where to look among them. */
  readonly where: RecordFilter;
  /** The policies beside them; undefined for records in a folder. */
  readonly schedules?: Schedules | undefined;
}

/** The records: in a store or a folder where one is named, else in the cluster. */
export async function recordsOf(options: GlobalOptions & { readonly from?: string }, world: World): Promise<Records> {
  if (options.from !== undefined) {
    const { storeRecords } = await import('../store-records');
    return { registry: await storeRecords(options.from, world), where: { namespace: namespaceOf(options) } };
  }
  if (options.registryDirectory !== undefined) {
    const { localRegistry } = await import('../local');
    return { registry: localRegistry(options.registryDirectory, world), where: { namespace: namespaceOf(options) } };
  }
  const { connect, kubernetesRegistry } = await import('../kubernetes');
  const { KubernetesSchedules } = await import('../../kube/schedules');
  const client = await connect(options, world);
  return {
    registry: kubernetesRegistry(client, options.registry, world),
    where: { namespace: namespaceOf(options, client) },
    schedules: new KubernetesSchedules(client),
  };
}

/** The name of a backup, where a command cannot do without it in this form. */
export function requiredBackup(value: string | undefined, command: string): string {
  if (value !== undefined) return value;
  throw new StillpointError('usage-invalid', `${command} needs the name of a backup`, {
    hint: 'see which there are: stillpoint list -A',
  });
}

/** The name of a policy, where a command cannot do without it in this form. */
export function required(value: string | undefined, command: string): string {
  if (value !== undefined) return value;
  throw new StillpointError('usage-invalid', `${command} needs the name of a policy, or --config`, {
    hint: `see which there are: kubectl get cronjobs -A -l ${LABELS.component}=${COMPONENTS.backup}`,
  });
}
