import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { checkJobName, checkLabel } from './checks';
import { contentHash } from './content-hash';
import { onOccasion } from './contract';
import type { BackupPolicy } from './database-backup';
import { GuardedJob } from './job';
import { takeName } from './objects';

/** Why a backup is taken outside its schedule: records carry it. */
export enum BackupTrigger {
  /** Somebody asked for it. */
  MANUAL = 'manual',
  /** It is taken before a deployment, so that there is a way back. */
  PRE_DEPLOYMENT = 'pre-deployment',
}

/** Properties of a {@link BackupJob}. */
export interface BackupJobProps {
  /** The policy whose database or group is backed up, with everything that the policy says. */
  readonly backup: BackupPolicy;

  /**
   * Why the backup is taken.
   *
   * @default BackupTrigger.MANUAL
   */
  readonly trigger?: BackupTrigger;

  /**
   * Annotations of the Job, as those that make it a hook of a deployment.
   *
   * @default - those of the policy
   */
  readonly annotations?: { [key: string]: string };
}

/**
 * One backup, taken when the Job is applied.
 *
 * A Job cannot be changed, and what is in Git is applied again and again: so its name carries a hash of all that it says.
 * The same Job is applied without effect; a changed one is another Job, and another backup.
 *
 * @example
 * new BackupJob(chart, 'release-42', { backup, trigger: BackupTrigger.PRE_DEPLOYMENT });
 */
export class BackupJob extends Construct {
  /** The Job's name. */
  public readonly jobName: string;

  constructor(scope: Construct, id: string, props: BackupJobProps) {
    super(scope, id);
    checkLabel(this, 'id', id);
    const { backup } = props;
    const config = onOccasion(backup._config, { trigger: props.trigger ?? BackupTrigger.MANUAL });
    this.jobName = `${backup.policyName}-${id}-${contentHash([config, backup._jobSpec('')])}`;
    checkJobName(this, this.jobName, backup._guarded);
    takeName(this, 'Job', `${backup.namespaceName}/${this.jobName}`);
    // A ConfigMap of its own: the policy's may say something else when a second pod of this Job reads it.
    backup._addConfig(this, 'Config', this.jobName, config);
    const metadata = backup._metadata(this.jobName);
    new (backup._guarded ? GuardedJob : k8s.KubeJob)(this, 'Resource', {
      metadata: { ...metadata, annotations: { ...metadata.annotations, ...props.annotations } },
      // No ttlSecondsAfterFinished: a Job that is gone while it is in Git would be made, and run, again.
      spec: backup._jobSpec(this.jobName),
    });
  }
}
