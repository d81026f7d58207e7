/** Without a cluster: folders instead of volumes, files instead of records. */
import { isSnapshot, membersOf, type PolicyConfig, type SnapshotConfig } from '../../src/contract';
import type { BackupContext } from '../commands/backup';
import { StillpointError } from '../errors';
import { LogEvents } from '../local/events';
import { FileLocks } from '../local/locks';
import { LocalPlatform } from '../local/platform';
import { LocalRemover } from '../local/remover';
import { LocalRestoreSite } from '../local/restore-site';
import type { Locks, Policies, Registry, Remover, Uses } from '../ports';
import { DirectoryRegistry } from '../registry/directory';
import { DirectoryUses } from '../registry/directory-uses';
import { DirectoryPolicies } from '../registry/policies';
import type { RestoreSite } from '../restore/site';
import { DirectorySnapshotStore } from '../snapshots/directory';
import { engineOf, personalRun, sourcesOf, type World } from './world';

/** The namespace of databases that are in none. */
export const LOCAL_NAMESPACE = 'local';

/** Whether a job config is about folders of this machine. */
export function isLocal(config: PolicyConfig): config is SnapshotConfig {
  return isSnapshot(config) && config.spec.snapshots.directory !== undefined;
}

/** The records in a folder. */
export function localRegistry(directory: string, { log }: World): Registry {
  return new DirectoryRegistry(directory, log);
}

/** Marks of use in a folder of records. */
export function localUses(directory: string, { log }: World): Uses {
  return new DirectoryUses(new DirectoryRegistry(directory, log));
}

/** What is known in a folder of policies. */
export function localPolicies(directory: string, { log }: World): Policies {
  return new DirectoryPolicies(directory, log);
}

/** The locks of all databases whose records are in a folder. */
export function localLocks(directory: string): Locks {
  return new FileLocks(directory);
}

/** What removes the copies of a backup. */
export function localRemover({ clock, log }: World): Remover {
  return new LocalRemover({ clock, log });
}

/** What restores into folders. */
export function localRestoreSite({ log }: World): RestoreSite {
  return new LocalRestoreSite({ engineOf, log });
}

/** Everything that a backup of folders needs. */
export async function localBackup(config: SnapshotConfig, world: World): Promise<BackupContext> {
  const { clock, log, signal, version } = world;
  const { snapshots, registry } = config.spec;
  if (snapshots.directory === undefined || registry.directory === undefined) {
    throw new StillpointError(
      'config-invalid',
      `job config ${config.metadata.name} names a folder for snapshots, but none for records`,
      {
        hint: 'set registry.directory beside snapshots.directory',
      },
    );
  }
  if ('members' in config.spec) {
    throw new StillpointError('config-invalid', `job config ${config.metadata.name} is of a group, and of folders`, {
      hint: 'a group needs snapshots of one instant, and a copy of a folder takes time: name a snapshot class',
    });
  }
  return {
    config,
    namespace: config.metadata.namespace ?? LOCAL_NAMESPACE,
    run: personalRun(world),
    sources: await sourcesOf(config),
    platform: new LocalPlatform(membersOf(config).flatMap((member) => member.config.volumes)),
    store: new DirectorySnapshotStore(snapshots.directory, { clock, log }),
    registry: localRegistry(registry.directory, world),
    locks: localLocks(registry.directory),
    events: new LogEvents(log),
    clock,
    log,
    signal,
    runnerVersion: version,
  };
}
