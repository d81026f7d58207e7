import { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { grantAccess } from './access';
import { checkLabel } from './checks';
import {
  CLONE_NAME_MAX,
  COMPONENTS,
  cloneAccess,
  DEFAULT_REGISTRY_NAMESPACE,
  HELD_ACCOUNT_PREFIX,
  LABELS,
} from './contract';
import { invalid } from './invalid';
import { runnerJob } from './job';
import { labelsOf, namespaceOf, takeName, templateMetadata } from './objects';
import type { IRegistry } from './registry';
import { type RunnerPodProps, runnerPod } from './runner-pod';
import { type BackupSchedule, checkTimeZone } from './schedule';

/** Properties of a {@link ScheduledClone}. */
export interface ScheduledCloneProps extends RunnerPodProps {
  /** The name of the database whose newest good backup is cloned. */
  readonly database: string;

  /**
   * The database's namespace.
   *
   * @default - the chart's own
   */
  readonly databaseNamespace?: string;

  /** When a new clone replaces the one before. */
  readonly schedule: BackupSchedule;

  /**
   * The time zone of the schedule.
   *
   * @default 'Etc/UTC'
   */
  readonly timeZone?: string;

  /**
   * Whether a server runs on the clone. The Service of the construct's id leads to the newest that is ready; the login of its
   * administrator is in the Secret `<clone>-clone`. Without a server a clone is claims, which carry its name as a label.
   *
   * @default true
   */
  readonly workload?: boolean;

  /**
   * Scripts that run on a copy before anybody reaches it, in the order of their names: SQL, or commands of Redis, a line each.
   * They mask what is not to be seen. When one fails, the clone stays closed, and the one before stays.
   *
   * @default - none
   */
  readonly scripts?: { [name: string]: string };

  /**
   * The storage class of the claims.
   *
   * @default - that of the original's
   */
  readonly storageClassName?: string;

  /**
   * The longest that making a clone may take.
   *
   * @default Duration.hours(1)
   */
  readonly deadline?: Duration;

  /**
   * Whether the schedule rests.
   *
   * @default false
   */
  readonly suspend?: boolean;

  /**
   * Where the records are kept.
   *
   * @default - the namespace `stillpoint`
   */
  readonly registry?: IRegistry;
}

/** What a clone is called besides the construct's id: a hyphen and eight digits. */
const GENERATION_LENGTH = 9;

/** What is left of the deadline to say what went wrong. */
const TOLD_WITHIN_SECONDS = 60;

/**
 * Clones of a database on a schedule, as a staging environment needs one each morning: the newest good backup, masked, with a
 * server and a login of its own, and nothing in common with the original but the data. A new one replaces the one before only
 * when it is ready.
 *
 * Its account may read the Secrets of the chart's namespace: give clones a namespace of their own.
 *
 * @example
 * new ScheduledClone(chart, 'orders', {
 *   database: 'orders-db',
 *   databaseNamespace: 'shop',
 *   schedule: BackupSchedule.daily({ hour: 5 }),
 *   scripts: { 'names.sql': "UPDATE customers SET name = 'customer ' || id, email = id || '@example.com'" },
 * });
 */
export class ScheduledClone extends Construct {
  /** The name of the Service that leads to the newest clone; there is one where the clones have a server. */
  public readonly serviceName: string;
  /** The name of the CronJob. */
  public readonly cronJobName: string;

  constructor(scope: Construct, id: string, props: ScheduledCloneProps) {
    super(scope, id);
    const namespace = namespaceOf(this);
    const databaseNamespace = props.databaseNamespace ?? namespace;
    this.serviceName = id;
    this.cronJobName = `${id}-clone`;
    this.check(props, databaseNamespace);
    takeName(this, 'clone', `${namespace}/${id}`);
    const registry = props.registry?.namespaceName ?? DEFAULT_REGISTRY_NAMESPACE;
    const workload = props.workload ?? true;
    // Not the component of what a clone itself is made of: that is removed by it.
    const labels = labelsOf(COMPONENTS.backup, props.labels, { [LABELS.database]: props.database });
    const annotations = { ...props.annotations };
    const metadata = (name: string): k8s.ObjectMeta => ({ name, namespace, labels, annotations });
    const accountName = `${HELD_ACCOUNT_PREFIX}clone-${id}`;
    grantAccess(this, cloneAccess({ workload, elsewhere: databaseNamespace !== namespace }), {
      accountName,
      accountNamespace: namespace,
      registryNamespace: registry,
      labels,
      annotations,
    });
    const scripts = `${id}-scripts`;
    if (props.scripts !== undefined) {
      new k8s.KubeConfigMap(this, 'Scripts', { metadata: metadata(scripts), data: { ...props.scripts } });
    }
    const deadline = props.deadline ?? Duration.hours(1);
    const template = runnerPod(props, {
      args: [
        ...['clone', `${databaseNamespace}/${props.database}/latest`, '--registry', registry],
        ...['--to', id, '--to-namespace', namespace, '--replace'],
        ...(workload ? ['--workload'] : []),
        ...(props.scripts === undefined ? [] : ['--scripts', scripts]),
        ...(props.storageClassName === undefined ? [] : ['--storage-class', props.storageClassName]),
        ...(props.image === undefined ? [] : ['--image', props.image]),
        ...['--timeout', `${deadline.toSeconds() - TOLD_WITHIN_SECONDS}s`],
      ],
      accountName,
      labels,
    });
    const timeZone = props.timeZone ?? 'Etc/UTC';
    const schedule = props.schedule.expressionFor(`${namespace}/${this.cronJobName}`);
    checkTimeZone(this, schedule, timeZone, new Date());
    new k8s.KubeCronJob(this, 'Resource', {
      metadata: metadata(this.cronJobName),
      spec: {
        schedule,
        timeZone,
        suspend: props.suspend ?? false,
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: Duration.hours(1).toSeconds(),
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 3,
        jobTemplate: { metadata: templateMetadata(labels, annotations), spec: runnerJob(template, deadline) },
      },
    });
  }

  private check({ database, scripts, deadline }: ScheduledCloneProps, databaseNamespace: string): void {
    const { id } = this.node;
    checkLabel(this, 'id', id);
    checkLabel(this, 'database', database);
    checkLabel(this, 'databaseNamespace', databaseNamespace);
    if (!/^[a-z]/.test(id) || id.length > CLONE_NAME_MAX - GENERATION_LENGTH) {
      throw invalid(
        this,
        `has the id "${id}", and clones and their Service are named after it`,
        `begin it with a letter, and give it at most ${CLONE_NAME_MAX - GENERATION_LENGTH} characters`,
      );
    }
    if (scripts !== undefined && Object.keys(scripts).length === 0) {
      throw invalid(this, 'has scripts, and none among them', 'leave them out: nothing would be masked');
    }
    if ((deadline ?? Duration.hours(1)).toSeconds() <= TOLD_WITHIN_SECONDS) {
      throw invalid(this, 'has a deadline of a minute or less', 'a clone takes longer; the default is an hour');
    }
  }
}
