import { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { stringify } from 'yaml';
import { grantAccess } from './access';
import { checkDumpKinds, checkDumpStorage } from './check-kinds';
import { checkRestoreSource } from './check-restore';
import { checkConnection } from './checks';
import { connectionVolumes } from './connection';
import { contentHash } from './content-hash';
import {
  COMPONENTS,
  DEFAULT_REGISTRY_NAMESPACE,
  dumpRestoreAccess,
  LABELS,
  MOUNTS,
  RESTORE_NAME_MAX,
  recordName,
} from './contract';
import {
  type DumpDefinition,
  dumpRestoreConfigOf,
  identityVolumes,
  type RestoreGoal,
  type RestorePod,
  serverGoal,
} from './dump-config';
import type { DumpRestoreProps, DumpSourceProps, SelectiveRestoreProps } from './dump-props';
import { runnerJob } from './job';
import { labelsOf, namespaceOf, takeName } from './objects';
import { runnerPod } from './runner-pod';

/** The key of the ConfigMap that says what is restored. */
const CONFIG_FILE = 'restore.yaml';

/**
 * What the restores from dumps of all engines have in common: a Job (the child `Resource`) that reads one dump from its
 * store, and is complete only when every byte was what the backup's record says:
 * `kubectl wait --for=condition=complete job/<jobName>`.
 */
export abstract class DumpRestore extends Construct {
  /** The Job's name. */
  public readonly jobName: string;

  constructor(scope: Construct, id: string, props: DumpSourceProps) {
    super(scope, id);
    this.check(props);
    this._check(props);
    const namespace = namespaceOf(this);
    const registryNamespace = props.registry?.namespaceName ?? DEFAULT_REGISTRY_NAMESPACE;
    const accountName = `${id}-restore`;
    const config = dumpRestoreConfigOf(this, props, this._goal(props), {
      name: accountName,
      namespace,
      registryNamespace,
    });
    const labels = labelsOf(COMPONENTS.restore, props.labels, {
      [LABELS.database]: props.database,
      [LABELS.backup]: props.backup,
    });
    const { volumes, ...pod } = this._pod(props);
    const podOf = (configName: string): k8s.PodTemplateSpec =>
      runnerPod(props, {
        args: ['restore-dump', '--config', `${MOUNTS.config}/${CONFIG_FILE}`],
        accountName,
        labels,
        volumes: [
          { volume: { name: 'config', configMap: { name: configName } }, path: MOUNTS.config },
          ...volumes,
          ...props.storage._volumes(),
          ...identityVolumes(props),
        ],
        ...pod,
      });
    this.jobName = `${accountName}-${contentHash([config, podOf('')])}`;
    takeName(this, 'Job', `${namespace}/${this.jobName}`);
    const annotations = { ...props.annotations };
    const { databaseNamespace = namespace, database, backup } = props;
    grantAccess(this, dumpRestoreAccess(recordName(databaseNamespace, database, backup)), {
      accountName,
      accountNamespace: namespace,
      registryNamespace,
      labels,
      annotations,
    });
    const metadata = { name: this.jobName, namespace, labels, annotations };
    new k8s.KubeConfigMap(this, 'Config', {
      metadata,
      data: { [CONFIG_FILE]: stringify(config, { lineWidth: 0, aliasDuplicateObjects: false }) },
    });
    new k8s.KubeJob(this, 'Resource', {
      metadata,
      // What a restore has begun and not ended no repetition mends: the server holds a part.
      spec: runnerJob(podOf(this.jobName), props.deadline ?? Duration.hours(6), false, [EXIT_CODE_RESTORE]),
    });
  }

  /**
   * What is wrong with what the kind of restore has of its own; called by the constructor.
   *
   * @internal
   */
  protected abstract _check(props: DumpSourceProps): void;

  /**
   * Where the dump goes; called by the constructor.
   *
   * @internal
   */
  protected abstract _goal(props: DumpSourceProps): RestoreGoal;

  /**
   * What its pod has of its own; called by the constructor.
   *
   * @internal
   */
  protected abstract _pod(props: DumpSourceProps): RestorePod;

  private check(props: DumpSourceProps): void {
    checkRestoreSource(this, props, { longest: RESTORE_NAME_MAX - '-restore'.length });
    checkDumpStorage(this, props);
  }
}

/**
 * What the restores into a server have in common: the engine's own tool reads the dump into an empty one. It waits for
 * the server, so that both can be applied together.
 */
export abstract class ServerDumpRestore extends DumpRestore {
  constructor(scope: Construct, id: string, props: DumpRestoreProps) {
    super(scope, id, props);
  }

  /**
   * What the engine adds; called by the constructor.
   *
   * @internal
   */
  protected abstract _restored(props: DumpRestoreProps): DumpDefinition;

  /** @internal */
  protected override _check(props: DumpRestoreProps): void {
    checkDumpKinds(this, props);
    checkConnection(this, props);
  }

  /** @internal */
  protected override _goal(props: SelectiveRestoreProps): RestoreGoal {
    return serverGoal(props, this._restored(props), props.intoDatabase);
  }

  /** @internal */
  protected override _pod(props: DumpRestoreProps): RestorePod {
    return { volumes: connectionVolumes(props), serverImage: props.serverImage };
  }
}

/** The exit code of a restore that failed when it had begun. */
const EXIT_CODE_RESTORE = 7;
