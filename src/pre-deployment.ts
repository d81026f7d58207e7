import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { checkJobName, checkLabel } from './checks';
import { contentHash } from './content-hash';
import { LABELS, labelValue, onOccasion } from './contract';
import type { BackupPolicy } from './database-backup';
import { invalid } from './invalid';
import { GuardedJob } from './job';
import { takeName } from './objects';

/** What applies the manifests. */
export enum DeploymentTool {
  /**
   * Argo CD: the Job is a PreSync hook. Each sync takes a backup first, and ends where that fails. A sync of the same
   * revision again is a deployment again, and takes another one.
   */
  ARGO_CD = 'argo-cd',
  /**
   * Flux, or whatever else applies manifests and waits for Jobs: the Job's name holds the revision, so each revision takes
   * one backup, and the same one applied again takes none. What deploys has to depend on the Kustomization that this Job is
   * in (docs/gitops.md).
   */
  FLUX = 'flux',
}

/** Properties of a {@link PreDeploymentBackup}. */
export interface PreDeploymentBackupProps {
  /** The policy whose database is backed up, with everything that the policy says. */
  readonly backup: BackupPolicy;

  /** What applies the manifests. */
  readonly tool: DeploymentTool;

  /**
   * What is about to be deployed: a commit or a version. Records and snapshots carry it. With `DeploymentTool.FLUX` it is
   * needed: a new one is a new backup.
   *
   * @default - none is recorded
   */
  readonly revision?: string;

  /**
   * The wave of the hook among the other PreSync hooks: a migration of the schema has to come in a later one.
   *
   * @default -1
   */
  readonly syncWave?: number;
}

const ARGO = {
  hook: 'argocd.argoproj.io/hook',
  deletePolicy: 'argocd.argoproj.io/hook-delete-policy',
  wave: 'argocd.argoproj.io/sync-wave',
} as const;

/**
 * A backup before each deployment: a Job that ends well only when the backup has succeeded, and can be restored from. Where it
 * fails, nothing is deployed. Such backups are kept until somebody releases them (`stillpoint release`).
 *
 * The policy itself has to be there before: its account takes the backup.
 *
 * @example
 * new PreDeploymentBackup(chart, 'before', { backup, tool: DeploymentTool.ARGO_CD });
 */
export class PreDeploymentBackup extends Construct {
  /** The Job's name. */
  public readonly jobName: string;

  constructor(scope: Construct, id: string, props: PreDeploymentBackupProps) {
    super(scope, id);
    checkLabel(this, 'id', id);
    const { backup, tool, revision } = props;
    this.check(props);
    const config = onOccasion(backup._config, {
      trigger: 'pre-deployment',
      ...(revision === undefined ? {} : { revision }),
    });
    const base = `${backup.policyName}-${id}`;
    this.jobName =
      tool === DeploymentTool.ARGO_CD ? base : `${base}-${contentHash([config, revision, backup._jobSpec('')])}`;
    checkJobName(this, this.jobName, backup._guarded);
    takeName(this, 'Job', `${backup.namespaceName}/${this.jobName}`);
    const wave = props.syncWave ?? -1;
    const labels = revision === undefined ? {} : { [LABELS.revision]: labelValue(revision) };
    new k8s.KubeConfigMap(this, 'Config', {
      // What is no hook would be applied after all of them.
      metadata: this.metadata(backup, labels, tool === DeploymentTool.ARGO_CD ? hookOf(wave - 1) : {}),
      data: backup._configData(config),
    });
    new (backup._guarded ? GuardedJob : k8s.KubeJob)(this, 'Resource', {
      metadata: this.metadata(backup, labels, tool === DeploymentTool.ARGO_CD ? hookOf(wave) : {}),
      // No ttlSecondsAfterFinished: a Job that is gone while it is in Git would be made, and run, again.
      spec: backup._jobSpec(this.jobName),
    });
  }

  private check({ tool, revision, syncWave }: PreDeploymentBackupProps): void {
    if (tool === DeploymentTool.FLUX && (revision ?? '') === '') {
      throw invalid(
        this,
        'names no revision, and without a new one there is no new Job',
        'set revision to the version or commit that is deployed, as revision: "v1.42.0"',
      );
    }
    if (tool === DeploymentTool.FLUX && syncWave !== undefined) {
      throw invalid(this, `has the sync wave ${syncWave}, which is Argo CD's alone`, 'leave syncWave out');
    }
    if (revision !== undefined && labelValue(revision) === '') {
      throw invalid(
        this,
        `has the revision "${revision}", of which no label can be made`,
        'give a version or a commit',
      );
    }
  }

  private metadata(
    backup: BackupPolicy,
    labels: Readonly<Record<string, string>>,
    annotations: Readonly<Record<string, string>>,
  ): k8s.ObjectMeta {
    const metadata = backup._metadata(this.jobName);
    return {
      ...metadata,
      labels: { ...metadata.labels, ...labels },
      annotations: { ...metadata.annotations, ...annotations },
    };
  }
}

/** The hook of the sync before is deleted when the next one is made: until then it can be looked at. */
function hookOf(wave: number): Readonly<Record<string, string>> {
  return { [ARGO.hook]: 'PreSync', [ARGO.deletePolicy]: 'BeforeHookCreation', [ARGO.wave]: `${wave}` };
}
