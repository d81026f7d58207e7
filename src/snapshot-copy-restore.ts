import { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { stringify } from 'yaml';
import { grantAccess } from './access';
import { checkDumpStorage } from './check-kinds';
import { checkNewClaims, checkRestoreSource } from './check-restore';
import { checkLabel } from './checks';
import { contentHash } from './content-hash';
import {
  API_VERSION,
  COMPONENTS,
  COPY_MOUNTS,
  COPY_RESTORE_CONFIG,
  COPY_RESTORE_KIND,
  type CopyRestoreConfig,
  DEFAULT_REGISTRY_NAMESPACE,
  dumpRestoreAccess,
  IDENTITY_FILE,
  IDENTITY_MOUNT,
  LABELS,
  MOUNTS,
  RESTORE_NAME_MAX,
  recordName,
  validate,
} from './contract';
import type { CopiedVolume, SnapshotCopyRestoreProps } from './copy-props';
import { identityVolumes } from './dump-config';
import { invalid } from './invalid';
import { runnerJob } from './job';
import { refuseProblems } from './job-config';
import { labelsOf, namespaceOf } from './objects';
import { sizeQuantity, TOOL_RESOURCES } from './resources';
import { type MountedVolume, RUNNER_CONTAINER, type RunnerSecurity, runnerPod } from './runner-pod';

/** The key of the ConfigMap that says what is restored. */
const CONFIG_FILE = 'restore.yaml';

/** The container that fills the claims; the one after it prepares the files. */
const FILL_CONTAINER = 'fill';

/** What root needs to give files to their owners, with all their modes, and to write in their folders. */
const FILE_CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'];

/**
 * New claims that are filled from a copy of snapshots in a store, and the Job that does so: every file is compared with the manifest,
 * the whole with the backup's record, and then the files are prepared as those of a restored snapshot are. Neither the snapshots nor
 * the cluster that took them are needed.
 *
 * Start a server on the claims when the Job has completed: `kubectl wait --for=condition=complete job/<jobName>`. The first claim is
 * the child `Resource`. A claim that holds anything is refused.
 *
 * @example
 * new SnapshotCopyRestore(chart, 'orders-back', {
 *   database: 'orders-copy',
 *   backup: '20261121040000',
 *   storage: BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' }),
 *   volumes: [{ name: 'data', size: Size.gibibytes(10), mountPath: '/var/lib/postgresql/data' }],
 *   runAsUser: 999,
 * });
 */
export class SnapshotCopyRestore extends Construct {
  /** The names of the claims, in the order of the volumes. */
  public readonly claimNames: string[];
  /** The name of the Job that fills and prepares them. */
  public readonly jobName: string;

  private readonly props: SnapshotCopyRestoreProps;
  private readonly namespaceName: string;

  constructor(scope: Construct, id: string, props: SnapshotCopyRestoreProps) {
    super(scope, id);
    this.props = props;
    this.namespaceName = namespaceOf(this);
    this.check();
    this.claimNames = props.volumes.map(({ claimName, name }) => claimName ?? `${id}-${name}`);
    checkNewClaims(this, this.namespaceName, this.claimNames);
    for (const [index, volume] of props.volumes.entries()) this.addClaim(volume, index);
    const accountName = `${id}-restore`;
    const config = this.config(accountName);
    this.jobName = `${accountName}-${contentHash([config, this.pod(accountName, '')])}`;
    const { database, databaseNamespace = this.namespaceName, backup } = props;
    grantAccess(this, dumpRestoreAccess(recordName(databaseNamespace, database, backup)), {
      accountName,
      accountNamespace: this.namespaceName,
      registryNamespace: this.registryNamespace,
      labels: this.labels,
      annotations: { ...props.annotations },
    });
    new k8s.KubeConfigMap(this, 'Config', {
      metadata: this.metadata(this.jobName),
      data: { [CONFIG_FILE]: stringify(config, { lineWidth: 0, aliasDuplicateObjects: false }) },
    });
    new k8s.KubeJob(this, 'Restore', {
      metadata: this.metadata(this.jobName),
      spec: {
        ...runnerJob(this.pod(accountName, this.jobName), props.deadline ?? Duration.hours(6)),
        // Claims that hold a part are refused: what was begun and not ended no repetition mends.
        backoffLimit: 0,
      },
    });
  }

  private check(): void {
    const { database, backup, volumes } = this.props;
    checkRestoreSource(this, this.props, { longest: RESTORE_NAME_MAX - '-restore'.length });
    checkDumpStorage(this, this.props);
    if (volumes.length === 0) {
      throw invalid(this, 'has no volumes', `name them as the copy does: stillpoint describe ${database}/${backup}`);
    }
    this.checkVolumes();
  }

  private checkVolumes(): void {
    const { volumes } = this.props;
    for (const [index, { name, mountPath }] of volumes.entries()) {
      checkLabel(this, "volume's name", name);
      if (!mountPath.startsWith('/')) {
        throw invalid(
          this,
          `mounts a volume at "${mountPath}", which is no absolute path`,
          'say where the server has it',
        );
      }
      const twice = volumes.findIndex((other) => other.name === name || other.mountPath === mountPath);
      if (twice === index) continue;
      throw invalid(this, `has the volume ${name} at "${mountPath}" twice`, 'give each volume one name and one place');
    }
  }

  private get registryNamespace(): string {
    return this.props.registry?.namespaceName ?? DEFAULT_REGISTRY_NAMESPACE;
  }

  private get labels(): Record<string, string> {
    const { labels, database, backup } = this.props;
    return labelsOf(COMPONENTS.restore, labels, { [LABELS.database]: database, [LABELS.backup]: backup });
  }

  private metadata(name: string, labels: Readonly<Record<string, string>> = {}): k8s.ObjectMeta {
    return {
      name,
      namespace: this.namespaceName,
      labels: { ...this.labels, ...labels },
      annotations: { ...this.props.annotations },
    };
  }

  private addClaim({ name, size, storageClassName, accessModes }: CopiedVolume, index: number): void {
    const claim = this.claimNames[index] ?? '';
    new k8s.KubePersistentVolumeClaim(this, index === 0 ? 'Resource' : `Claim-${name}`, {
      metadata: this.metadata(claim, { [LABELS.volume]: name }),
      spec: {
        accessModes: [...(accessModes ?? ['ReadWriteOnce'])],
        ...(storageClassName === undefined ? {} : { storageClassName }),
        resources: { requests: { storage: k8s.Quantity.fromString(sizeQuantity(size)) } },
      },
    });
  }

  private config(name: string): CopyRestoreConfig {
    const { database, databaseNamespace = this.namespaceName, backup: id, volumes, storage, identity } = this.props;
    const config: CopyRestoreConfig = {
      apiVersion: API_VERSION,
      kind: COPY_RESTORE_KIND,
      metadata: { name, namespace: this.namespaceName },
      spec: {
        backup: { namespace: databaseNamespace, database, id },
        volumes: volumes.map((volume) => ({ name: volume.name, path: `${COPY_MOUNTS.volumes}/${volume.name}` })),
        storage: storage._toConfig(),
        ...(identity === undefined ? {} : { identityFile: `${IDENTITY_MOUNT}/${IDENTITY_FILE}` }),
        recordFile: `${COPY_MOUNTS.state}/${COPY_MOUNTS.recordFile}`,
        registry: { namespace: this.registryNamespace },
      },
    };
    refuseProblems(this, validate(COPY_RESTORE_CONFIG, config));
    return config;
  }

  /** Two containers, one after the other: whole volumes are filled, and then prepared where the server has them mounted. */
  private pod(accountName: string, configName: string): k8s.PodTemplateSpec {
    const { storage } = this.props;
    const props = { ...this.props, resources: this.props.resources ?? TOOL_RESOURCES };
    const shared = { accountName, labels: this.labels, security: this.security };
    const volumeOf = (index: number): k8s.Volume => ({
      name: `volume-${index}`,
      persistentVolumeClaim: { claimName: this.claimNames[index] ?? '' },
    });
    const state: MountedVolume = { volume: { name: 'state', emptyDir: {} }, path: COPY_MOUNTS.state, writable: true };
    const filling = runnerPod(props, {
      ...shared,
      args: ['restore-copy', '--config', `${MOUNTS.config}/${CONFIG_FILE}`],
      volumes: [
        { volume: { name: 'config', configMap: { name: configName } }, path: MOUNTS.config },
        state,
        ...this.props.volumes.map(({ name }, index) => ({
          volume: volumeOf(index),
          path: `${COPY_MOUNTS.volumes}/${name}`,
          writable: true,
        })),
        ...storage._volumes(),
        ...identityVolumes(this.props),
      ],
    });
    const preparing = runnerPod(this.props, {
      ...shared,
      args: [
        ...['prepare', '--record-file', `${COPY_MOUNTS.state}/${COPY_MOUNTS.recordFile}`],
        ...this.props.volumes.flatMap(({ name, mountPath }) => ['--volume', `${name}=${mountPath}`]),
      ],
      volumes: [
        { ...state, writable: false },
        ...this.props.volumes.map(({ mountPath, subPath }, index) => ({
          volume: volumeOf(index),
          path: mountPath,
          ...(subPath === undefined ? {} : { subPath }),
          writable: true,
        })),
      ],
    });
    const first = filling.spec?.containers.map((container) => ({ ...container, name: FILL_CONTAINER })) ?? [];
    const containers = preparing.spec?.containers ?? [{ name: RUNNER_CONTAINER }];
    return {
      ...filling,
      spec: { ...filling.spec, initContainers: first, containers, volumes: filling.spec?.volumes ?? [] },
    };
  }

  /** The fsGroup lets another user than root write into a new file system; what is restored has owners and modes of its own. */
  private get security(): RunnerSecurity {
    const { runAsUser: user = 0, runAsGroup: group = user } = this.props;
    return user === 0 ? { user, group, capabilities: FILE_CAPABILITIES } : { user, group, fsGroup: group };
  }
}
