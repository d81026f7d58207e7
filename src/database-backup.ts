import { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { Construct, type IConstruct } from 'constructs';
import { grantAccess } from './access';
import type { DatabaseBackupProps, PolicyProps } from './backup-props';
import { checkDatabase, checkGuardedName, checkPolicy, checkSnapshots } from './checks';
import { guardCommands } from './command-guard';
import { connectionVolumes } from './connection';
import {
  accessOf,
  COMPONENTS,
  DEFAULT_REGISTRY_NAMESPACE,
  isSnapshot,
  LABELS,
  MOUNTS,
  membersOf,
  type PolicyConfig,
} from './contract';
import { GuardedCronJob, runnerJob } from './job';
import {
  DEFAULT_DEADLINE_SECONDS,
  type EngineDefinition,
  jobConfigOf,
  jobConfigText,
  type PolicyNames,
} from './job-config';
import { labelsOf, namespaceOf, takeName, templateMetadata } from './objects';
import { given } from './resources';
import { addRetention } from './retention';
import { type MountedVolume, type RunnerPod, runnerPod } from './runner-pod';
import { checkTimeZone } from './schedule';

/** A backup policy. */
export interface IDatabaseBackup extends IConstruct {
  /** The database's name: its backups are listed and restored under it. */
  readonly databaseName: string;
  /** The policy's name: that of its CronJob. */
  readonly policyName: string;
}

/**
 * What all policies have in common, of whatever: a CronJob that takes the backups (the child `Resource`), its ConfigMap, its
 * account, and the rights that it needs.
 */
export abstract class BackupPolicy extends Construct implements IDatabaseBackup {
  /** The database's name: its backups are listed and restored under it. */
  public readonly databaseName: string;
  /** The policy's name: that of its CronJob. */
  public readonly policyName: string;
  /** The namespace of the database, its policy and its snapshots. */
  public readonly namespaceName: string;
  /** The namespace of the records. */
  public readonly registryNamespaceName: string;
  /** The cron expression, with the policy's own minute in it. */
  public readonly scheduleExpression: string;

  private readonly props: PolicyProps;
  private readonly config: PolicyConfig;

  constructor(scope: Construct, id: string, props: PolicyProps) {
    super(scope, id);
    this.props = props;
    this.databaseName = props.database ?? id;
    this.policyName = props.name ?? `${id}-backup`;
    this.namespaceName = namespaceOf(this);
    this.registryNamespaceName = props.registry?.namespaceName ?? DEFAULT_REGISTRY_NAMESPACE;
    const names = {
      name: this.policyName,
      namespace: this.namespaceName,
      database: this.databaseName,
      registryNamespace: this.registryNamespaceName,
    };
    checkPolicy(this, props, names);
    takeName(this, 'policy', `${this.namespaceName}/${this.policyName}`);
    this.config = this._policyConfig(props, names);
    if (this._guarded) checkGuardedName(this, this.policyName);
    this.scheduleExpression = props.schedule.expressionFor(`${this.namespaceName}/${this.policyName}`);
    checkTimeZone(this, this.scheduleExpression, this.timeZone, new Date());
    this.grant();
    this._addConfig(this, 'Config', this.policyName, this.config);
    if (props.retention !== undefined) {
      const { timeZone, scheduleExpression: schedule } = this;
      const { labels, annotations } = props;
      addRetention(this, props.retention, { ...names, timeZone, schedule, labels, annotations });
    }
    this.addCronJob();
  }

  /**
   * The job config; called by the constructor, so it sees what it is given and nothing else.
   *
   * @internal
   */
  protected abstract _policyConfig(props: PolicyProps, names: PolicyNames): PolicyConfig;

  /**
   * The Secrets that the runner logs in with; called by the constructor too.
   *
   * @internal
   */
  protected abstract _secrets(props: PolicyProps): readonly MountedVolume[];

  /**
   * The image in which the runner works, where that is not its own; called by the constructor too.
   *
   * @internal
   */
  protected _serverImage(_props: PolicyProps): string | undefined {
    return undefined;
  }

  /**
   * What its pod has of its own beside that; called by the constructor too.
   *
   * @internal
   */
  protected _pod(_props: PolicyProps): Pick<RunnerPod, 'volumes' | 'security' | 'resources'> {
    return {};
  }

  /**
   * How long a finished Job of the CronJob stays, where not for as long as the history has room for it.
   *
   * @internal
   */
  protected _finishedFor(_props: PolicyProps): Duration | undefined {
    return undefined;
  }

  private get timeZone(): string {
    return this.props.timeZone ?? 'Etc/UTC';
  }

  private addCronJob(): void {
    const { props } = this;
    new (this._guarded ? GuardedCronJob : k8s.KubeCronJob)(this, 'Resource', {
      metadata: this._metadata(this.policyName),
      spec: {
        schedule: this.scheduleExpression,
        timeZone: this.timeZone,
        suspend: props.suspend ?? false,
        // A backup that is still at work is not joined by a second one; the Lease holds that for backups by hand, too.
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: (props.startingDeadline ?? Duration.hours(1)).toSeconds(),
        successfulJobsHistoryLimit: props.successfulJobsRetained ?? 3,
        failedJobsHistoryLimit: props.failedJobsRetained ?? 3,
        jobTemplate: {
          metadata: templateMetadata(this._labels(), props.annotations),
          spec: {
            ...this._jobSpec(this.policyName),
            ...given('ttlSecondsAfterFinished', this._finishedFor(props)?.toSeconds()),
          },
        },
      },
    });
  }

  private grant(): void {
    grantAccess(this, accessOf(this.config), {
      accountName: this.policyName,
      accountNamespace: this.namespaceName,
      registryNamespace: this.registryNamespaceName,
      labels: this._labels(),
      annotations: { ...this.props.annotations },
    });
    const members = isSnapshot(this.config) ? membersOf(this.config) : [];
    const hooks = members.flatMap((member) => member.config.hooks ?? []);
    const account = { name: this.policyName, namespace: this.namespaceName };
    guardCommands(this, hooks, account, { labels: this._labels(), annotations: { ...this.props.annotations } });
  }

  /** @internal */
  public get _config(): PolicyConfig {
    return this.config;
  }

  /**
   * Whether the Jobs of this policy have a guard.
   *
   * @internal
   */
  public get _guarded(): boolean {
    return isSnapshot(this.config) && this.config.spec.guarded === true;
  }

  /** @internal */
  public _labels(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return labelsOf(COMPONENTS.backup, { ...this.props.labels, ...more }, { [LABELS.database]: this.databaseName });
  }

  /** @internal */
  public _metadata(name: string): k8s.ObjectMeta {
    return {
      name,
      namespace: this.namespaceName,
      labels: this._labels(),
      annotations: { ...this.props.annotations },
    };
  }

  /** @internal */
  public _addConfig(scope: Construct, id: string, name: string, config: PolicyConfig): void {
    new k8s.KubeConfigMap(scope, id, { metadata: this._metadata(name), data: this._configData(config) });
  }

  /** @internal */
  public _configData(config: PolicyConfig): { [key: string]: string } {
    return { [MOUNTS.configFile]: jobConfigText(config) };
  }

  /**
   * The spec of a Job that takes one backup, as the given ConfigMap says.
   *
   * @internal
   */
  public _jobSpec(configName: string): k8s.JobSpec {
    const config: MountedVolume = {
      volume: { name: 'config', configMap: { name: configName } },
      path: MOUNTS.config,
    };
    const serverImage = this._serverImage(this.props);
    const { volumes = [], ...pod } = this._pod(this.props);
    const template = runnerPod(this.props, {
      ...pod,
      args: ['run', '--config', `${MOUNTS.config}/${MOUNTS.configFile}`],
      accountName: this.policyName,
      labels: this._labels(),
      volumes: [config, ...this._secrets(this.props), ...volumes],
      ...(serverImage === undefined ? {} : { serverImage }),
      // Terminated pods do not count: of the running ones that carry these labels, there are the runner and its guard.
      ...(this._guarded
        ? { apartFrom: { [LABELS.component]: COMPONENTS.backup, [LABELS.database]: this.databaseName } }
        : {}),
    });
    return runnerJob(template, this.props.deadline ?? Duration.seconds(DEFAULT_DEADLINE_SECONDS), this._guarded);
  }
}

/** What the policies of all engines have in common: each is of one database. */
export abstract class DatabaseBackup extends BackupPolicy {
  constructor(scope: Construct, id: string, props: DatabaseBackupProps) {
    super(scope, id, props);
  }

  /**
   * What the engine adds; called by the constructor, so it sees the props and nothing else.
   *
   * @internal
   */
  protected abstract _engine(props: DatabaseBackupProps): EngineDefinition;

  /** @internal */
  protected override _policyConfig(props: DatabaseBackupProps, names: PolicyNames): PolicyConfig {
    checkSnapshots(this, props);
    checkDatabase(this, props);
    return jobConfigOf(this, props, this._engine(props), names);
  }

  /** @internal */
  protected override _secrets(props: DatabaseBackupProps): readonly MountedVolume[] {
    const hooks = (props.hooks ?? []).flatMap((hook) => hook._secrets());
    return [...connectionVolumes(props, this._engine(props).sentinel), ...hooks];
  }
}
