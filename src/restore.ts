import { Duration, type Size } from 'cdk8s';
import { k8s, type PersistentVolumeAccessMode } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { grantAccess } from './access';
import { checkNewClaims, checkRestoreSource } from './check-restore';
import { checkLabel } from './checks';
import { contentHash } from './content-hash';
import {
  COMPONENTS,
  DEFAULT_REGISTRY_NAMESPACE,
  LABELS,
  prepareAccess,
  RESTORE_NAME_MAX,
  recordName,
  snapshotName,
} from './contract';
import { invalid } from './invalid';
import { runnerJob } from './job';
import { labelsOf, namespaceOf } from './objects';
import type { IRegistry } from './registry';
import { sizeQuantity } from './resources';
import { type MountedVolume, type RunnerPodProps, type RunnerSecurity, runnerPod } from './runner-pod';

/** One volume of a backup, and the claim that is made of it. */
export interface RestoreVolume {
  /** The volume's name in the backup, as `data`; `stillpoint describe` shows it. */
  readonly name: string;

  /**
   * The name of its snapshot, where the policy names them by the day.
   *
   * @default - `<database>-<name of the volume>-<backup>`
   */
  readonly snapshotName?: string;

  /**
   * Where the server that will start on the claim has it mounted. Links between and within volumes (as from the data
   * directory to a write-ahead log of its own) hold absolute paths: they are written for this one.
   */
  readonly mountPath: string;

  /** The claim's size: at least the snapshot's, which `stillpoint describe` shows. */
  readonly size: Size;

  /**
   * The claim's name.
   *
   * @default - `<id of the construct>-<name of the volume>`
   */
  readonly claimName?: string;

  /**
   * The claim's storage class. It has to be of the snapshot's driver.
   *
   * @default - the cluster's default class
   */
  readonly storageClassName?: string;

  /**
   * How the claim may be mounted.
   *
   * @default - [PersistentVolumeAccessMode.READ_WRITE_ONCE]
   */
  readonly accessModes?: PersistentVolumeAccessMode[];

  /**
   * The folder of the volume that is mounted, where it is not the whole.
   *
   * @default - the whole volume
   */
  readonly subPath?: string;
}

/** Properties of a {@link RestoreClaim}. */
export interface RestoreClaimProps extends RunnerPodProps {
  /** The name of the database that the backup is of. Its snapshots have to be in the chart's namespace. */
  readonly database: string;

  /**
   * The backup's id, as `20261121020000`. It is not `latest`: what is applied from Git must not depend on the day. The
   * command line knows `latest`.
   */
  readonly backup: string;

  /** All volumes of the backup. */
  readonly volumes: RestoreVolume[];

  /**
   * The user that owns the database's files, as 999 in the `postgres` images. The Job then runs as that user, within the
   * Pod Security Standard `restricted`.
   *
   * @default - root, with the three capabilities that reading and writing another user's files takes
   */
  readonly runAsUser?: number;

  /**
   * The group of those files.
   *
   * @default - the same number as runAsUser
   */
  readonly runAsGroup?: number;

  /**
   * The longest that the preparation may take, the wait for the storage included.
   *
   * @default Duration.hours(1)
   */
  readonly deadline?: Duration;

  /**
   * Where the backup's record is kept.
   *
   * @default - the namespace `stillpoint`
   */
  readonly registry?: IRegistry;
}

/** What root needs for files of an owner that is not known at synth: to read and write them, and to give them back. */
const FILE_CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'];

/**
 * Claims made of a backup's snapshots, and the Job that prepares them: it writes what the database needs to start from
 * them without losing data (PostgreSQL: `backup_label`), and detaches the copy from the original's world.
 *
 * Start a server on the claims when the Job has completed: `kubectl wait --for=condition=complete job/<jobName>`. The first
 * claim is the child `Resource`.
 *
 * @example
 * new RestoreClaim(chart, 'orders-copy', {
 *   database: 'orders-db',
 *   backup: '20261121020000',
 *   volumes: [{ name: 'data', size: Size.gibibytes(10), mountPath: '/var/lib/postgresql/data' }],
 *   runAsUser: 999,
 * });
 */
export class RestoreClaim extends Construct {
  /** The names of the claims, in the order of the volumes. */
  public readonly claimNames: string[];
  /** The name of the Job that prepares them. */
  public readonly jobName: string;

  private readonly props: RestoreClaimProps;
  private readonly namespaceName: string;

  constructor(scope: Construct, id: string, props: RestoreClaimProps) {
    super(scope, id);
    this.props = props;
    this.namespaceName = namespaceOf(this);
    this.check();
    this.claimNames = props.volumes.map((volume) => this.claimNameOf(volume));
    checkNewClaims(this, this.namespaceName, this.claimNames);
    for (const [index, volume] of props.volumes.entries()) this.addClaim(volume, index);

    const accountName = `${id}-prepare`;
    const template = this.preparation(accountName);
    this.jobName = `${accountName}-${contentHash(template)}`;
    grantAccess(this, prepareAccess(this.record), {
      accountName,
      accountNamespace: this.namespaceName,
      registryNamespace: this.registryNamespace,
      labels: this.labels,
      annotations: { ...props.annotations },
    });
    new k8s.KubeJob(this, 'Prepare', {
      metadata: this.metadata(this.jobName),
      spec: runnerJob(template, props.deadline ?? Duration.hours(1)),
    });
  }

  private check(): void {
    const { backup, database, volumes } = this.props;
    checkRestoreSource(this, this.props, {
      longest: RESTORE_NAME_MAX,
      otherwise: `, or restore on the command line: stillpoint restore latest --claim ${this.node.id}`,
    });
    if (volumes.length === 0) {
      throw invalid(this, 'has no volumes', `name them as the backup does: stillpoint describe ${database}/${backup}`);
    }
    for (const { name } of volumes) checkLabel(this, "volume's name", name);
    this.checkMounts();
  }

  private checkMounts(): void {
    const paths = this.props.volumes.map(({ mountPath }) => mountPath);
    for (const [index, path] of paths.entries()) {
      if (!path.startsWith('/')) {
        throw invalid(
          this,
          `mounts a volume at "${path}", which is no absolute path`,
          'say where the server has it mounted',
        );
      }
      if (paths.indexOf(path) !== index) {
        throw invalid(this, `mounts two volumes at "${path}"`, 'say where the server has each of them mounted');
      }
    }
  }

  private get registryNamespace(): string {
    return this.props.registry?.namespaceName ?? DEFAULT_REGISTRY_NAMESPACE;
  }

  private get labels(): Record<string, string> {
    const { labels, database, backup } = this.props;
    return labelsOf(COMPONENTS.restore, labels, { [LABELS.database]: database, [LABELS.backup]: backup });
  }

  private get record(): string {
    return recordName(this.namespaceName, this.props.database, this.props.backup);
  }

  private claimNameOf({ claimName, name }: RestoreVolume): string {
    return claimName ?? `${this.node.id}-${name}`;
  }

  private metadata(name: string, labels: Readonly<Record<string, string>> = {}): k8s.ObjectMeta {
    return {
      name,
      namespace: this.namespaceName,
      labels: { ...this.labels, ...labels },
      annotations: { ...this.props.annotations },
    };
  }

  private addClaim(volume: RestoreVolume, index: number): void {
    const { name, size, storageClassName, accessModes } = volume;
    new k8s.KubePersistentVolumeClaim(this, index === 0 ? 'Resource' : `Claim-${name}`, {
      metadata: this.metadata(this.claimNameOf(volume), { [LABELS.volume]: name }),
      spec: {
        accessModes: [...(accessModes ?? ['ReadWriteOnce'])],
        ...(storageClassName === undefined ? {} : { storageClassName }),
        resources: { requests: { storage: k8s.Quantity.fromString(sizeQuantity(size)) } },
        // Not dataSource: what that cannot be made of is dropped there without a word, and the claim comes up empty.
        dataSourceRef: {
          apiGroup: 'snapshot.storage.k8s.io',
          kind: 'VolumeSnapshot',
          name: volume.snapshotName ?? snapshotName(this.props.database, name, this.props.backup),
        },
      },
    });
  }

  private preparation(accountName: string): k8s.PodTemplateSpec {
    const volumes = this.props.volumes.map((volume): MountedVolume => {
      return {
        volume: { name: volume.name, persistentVolumeClaim: { claimName: this.claimNameOf(volume) } },
        path: volume.mountPath,
        ...(volume.subPath === undefined ? {} : { subPath: volume.subPath }),
        writable: true,
      };
    });
    const places = volumes.flatMap(({ volume, path }) => ['--volume', `${volume.name}=${path}`]);
    return runnerPod(this.props, {
      args: ['prepare', '--record', this.record, '--registry', this.registryNamespace, ...places],
      accountName,
      labels: this.labels,
      volumes,
      security: this.security,
    });
  }

  /** No fsGroup: it would open the data directory to the group, and PostgreSQL refuses to start on such a one. */
  private get security(): RunnerSecurity {
    const { runAsUser, runAsGroup } = this.props;
    if (runAsUser === undefined || runAsUser === 0) return { user: 0, group: 0, capabilities: FILE_CAPABILITIES };
    return { user: runAsUser, group: runAsGroup ?? runAsUser };
  }
}
