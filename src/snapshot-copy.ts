import { Duration } from 'cdk8s';
import type { Construct } from 'constructs';
import type { PolicyProps } from './backup-props';
import { checkDumpStorage, checkEnum } from './check-kinds';

import {
  API_VERSION,
  COPY_CONFIG,
  COPY_CONFIG_KIND,
  type CopyConfig,
  type EngineName,
  JOB_CONFIG_KIND,
  type JobConfig,
  type PolicyConfig,
  validate,
} from './contract';
import type { SnapshotCopyProps } from './copy-props';
import { addCopyWorker } from './copy-worker';
import { BackupPolicy } from './database-backup';
import { DumpCompression } from './dump-props';
import { invalid } from './invalid';
import { type PolicyNames, refuseProblems } from './job-config';
import { namespaceOf } from './objects';
import { checkRecipients } from './recipients';
import type { MountedVolume } from './runner-pod';

/** How long a copy may take where nothing is said: it reads all that lies on the volumes. */
const DEADLINE = Duration.hours(6);

/** Whose the files are in the engines' public images. */
const FILE_OWNERS: Partial<Readonly<Record<EngineName, number>>> = {
  postgres: 999,
  mysql: 999,
  mongodb: 999,
  redis: 999,
  neo4j: 7474,
};

/**
 * Copies of finished snapshots, off the cluster: at each run the newest good backup of another policy is made into claims, which a
 * worker reads, and their files go to a store as an archive with a manifest of files and hashes. A {@link SnapshotCopyRestore} makes
 * claims of it, in a cluster that never saw the snapshots.
 *
 * Copies are backups of their own, listed under the construct's id, with a schedule and a retention of their own. The policy's
 * account can make no pod: it scales the worker, whose pod has no right on the API at all.
 *
 * @example
 * new SnapshotCopy(chart, 'orders-copy', {
 *   of: backup,
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 *   schedule: BackupSchedule.weekly({ weekday: Weekday.SUNDAY, hour: 4 }),
 *   retention: { keepWeekly: 8 },
 * });
 */
export class SnapshotCopy extends BackupPolicy {
  /** The name of the Deployment that reads the files when it is scaled to one. */
  public readonly workerName: string;

  constructor(scope: Construct, id: string, props: SnapshotCopyProps) {
    super(scope, id, { ...props, deadline: props.deadline ?? DEADLINE });
    this.workerName = workerName(this.policyName);
    addCopyWorker(this, props, this._config as CopyConfig, {
      configName: this.policyName,
      accountName: this.policyName,
    });
  }

  /** @internal */
  protected override _policyConfig(props: PolicyProps, names: PolicyNames): PolicyConfig {
    return copyConfigOf(this, props as SnapshotCopyProps, names);
  }

  /** @internal */
  protected override _secrets(props: PolicyProps): readonly MountedVolume[] {
    return (props as SnapshotCopyProps).storage._volumes();
  }
}

const workerName = (policy: string): string => `${policy}-worker`;

function copyConfigOf(construct: Construct, props: SnapshotCopyProps, names: PolicyNames): CopyConfig {
  checkDumpStorage(construct, props);
  checkEnum(construct, 'compression', props.compression, DumpCompression);
  checkRecipients(construct, props);
  const source = sourceOf(construct, props);
  const config: CopyConfig = {
    apiVersion: API_VERSION,
    kind: COPY_CONFIG_KIND,
    metadata: { name: names.name, namespace: names.namespace },
    spec: {
      engine: source.spec.engine,
      of: source.spec.database,
      database: names.database,
      copy: {
        compression: props.compression ?? DumpCompression.ZSTD,
        ...(props.recipients === undefined ? {} : { recipients: props.recipients }),
        ...volumesOf(construct, props, source, names.name),
        worker: workerName(names.name),
        order: `${names.name}-order`,
        runAsUser: readerOf(construct, props, source),
      },
      storage: props.storage._toConfig(),
      deadlineSeconds: (props.deadline ?? DEADLINE).toSeconds(),
      ...(props.retention === undefined ? {} : { prune: true }),
      registry: { namespace: names.registryNamespace },
      clusterScope: props.clusterAccess ?? true,
    },
  };
  refuseProblems(construct, validate(COPY_CONFIG, config));
  return config;
}

/** The policy whose backups are copied: a worker mounts its volumes by names that are known beforehand. */
function sourceOf(construct: Construct, { of, registry }: SnapshotCopyProps): JobConfig {
  if (!(of instanceof BackupPolicy) || of._config.kind !== JOB_CONFIG_KIND) {
    throw invalid(
      construct,
      'copies no policy of one database',
      'name in of the policy whose snapshots are copied, as a PostgresBackup; each member of a group needs one of its own',
    );
  }
  const namespace = namespaceOf(construct);
  if (of.namespaceName !== namespace) {
    throw invalid(
      construct,
      `is in the namespace ${namespace}, and the policy ${of.policyName} in ${of.namespaceName}`,
      'put both into one namespace: a claim can be made of a snapshot there alone',
    );
  }
  const own = registry?.namespaceName;
  if (own !== undefined && own !== of.registryNamespaceName) {
    throw invalid(
      construct,
      `has the registry ${own}, and the policy ${of.policyName} has ${of.registryNamespaceName}`,
      'give both the same registry',
    );
  }
  return of._config as JobConfig;
}

/** A pod takes no more: most clouds attach fewer disks to one machine. */
const MOST_VOLUMES = 64;

/** The volumes by their names; where a policy finds some only when it runs, as many places as it is said to have at most. */
function volumesOf(
  construct: Construct,
  { maxVolumes }: SnapshotCopyProps,
  { spec }: JobConfig,
  policy: string,
): Pick<CopyConfig['spec']['copy'], 'volumes' | 'places'> {
  if (spec.servers !== undefined) {
    throw invalid(
      construct,
      'copies a policy that finds its servers only when it runs',
      'copy a policy that names its server',
    );
  }
  const found = spec.volumes.find(({ matchLabels, optional }) => matchLabels !== undefined || optional === true);
  const withClaim = (name: string): { name: string; claim: string } => ({ name, claim: `${policy}-${name}` });
  if (found === undefined) {
    if (maxVolumes === undefined) return { volumes: spec.volumes.map(({ name }) => withClaim(name)) };
    throw invalid(
      construct,
      `has the maxVolumes ${maxVolumes}, and copies a policy that names all its ${spec.volumes.length}`,
      'leave it out',
    );
  }
  if (maxVolumes === undefined) {
    throw invalid(
      construct,
      `copies a policy that finds its volume ${found.name} only when it runs`,
      'set maxVolumes to how many volumes its backups have at most: the worker of a copy has a place for each',
    );
  }
  if (!Number.isInteger(maxVolumes) || maxVolumes < 1 || maxVolumes > MOST_VOLUMES) {
    throw invalid(construct, `has the maxVolumes ${maxVolumes}`, `give a whole number from 1 to ${MOST_VOLUMES}`);
  }
  return { volumes: Array.from({ length: maxVolumes }, (_, index) => withClaim(`place-${index}`)), places: true };
}

function readerOf(construct: Construct, { runAsUser }: SnapshotCopyProps, { spec }: JobConfig): number {
  const user = runAsUser ?? FILE_OWNERS[spec.engine];
  if (user !== undefined && Number.isInteger(user) && user >= 0) return user;
  throw invalid(
    construct,
    user === undefined ? `does not know whose the files of ${spec.engine} are` : `has the runAsUser ${user}`,
    'set runAsUser to the number of the user who owns them',
  );
}
