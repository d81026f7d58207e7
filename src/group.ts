import type { Construct } from 'constructs';
import type { BackupPolicyProps } from './backup-props';
import { checkSnapshots } from './checks';
import type { GroupConfig, PolicyConfig } from './contract';
import { BackupPolicy } from './database-backup';
import type { GroupMember } from './group-member';
import { invalid } from './invalid';
import { groupConfigOf, type PolicyNames } from './job-config';
import type { MountedVolume } from './runner-pod';

/** Properties of a {@link BackupGroup}. */
export interface BackupGroupProps extends BackupPolicyProps {
  /**
   * What is backed up together, in the order in which it is frozen: the one that takes longest to freeze first, the one that
   * is most costly to hold last.
   */
  readonly members: GroupMember[];
}

/**
 * Backs up several databases and volumes together on a schedule, so that they fit each other: all are frozen, then all are
 * cut, then all are let go. What one of them has acknowledged before the first cut is in its copy, and what has begun after
 * the last is in none. There is one budget for all, one record, and one verdict.
 *
 * Each database has to hold its writes meanwhile: PostgreSQL by locks on its tables, MySQL and MariaDB by their global lock,
 * Redis and Valkey by a pause, MongoDB by its lock. Plain volumes are cut in the same instant, and not frozen.
 *
 * Its main child is a CronJob, so a backup by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new BackupGroup(chart, 'shop', {
 *   members: [
 *     new PostgresMember('orders', {
 *       host: 'orders-db',
 *       credentials: Secret.fromSecretName(chart, 'orders-login', 'orders-db-backup'),
 *       volumes: [BackupVolume.fromServerPod('data')],
 *     }),
 *     new RedisMember('sessions', {
 *       host: 'sessions-db',
 *       credentials: Secret.fromSecretName(chart, 'sessions-login', 'sessions-db-backup'),
 *       volumes: [BackupVolume.fromServerPod('data')],
 *     }),
 *     new VolumeMember('uploads', { volumes: [BackupVolume.fromClaimName('uploads')] }),
 *   ],
 *   snapshotClass: SnapshotClass.fromName('retained'),
 *   schedule: BackupSchedule.daily({ hour: 2 }),
 * });
 */
export class BackupGroup extends BackupPolicy {
  constructor(scope: Construct, id: string, props: BackupGroupProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _policyConfig(props: BackupGroupProps, names: PolicyNames): PolicyConfig {
    checkSnapshots(this, props);
    const { members } = props;
    if (members.length === 0) {
      throw invalid(this, 'has no members', "name them, as members: [new PostgresMember('orders', { … }), …]");
    }
    const twice = members.find(({ name }, index) => members.findIndex((other) => other.name === name) !== index);
    if (twice !== undefined) {
      throw invalid(this, `has two members named "${twice.name}"`, 'give each a name of its own');
    }
    const configs = members.map((member): GroupConfig['spec']['members'][number] => ({
      name: member.name,
      ...member._config(this, props),
    }));
    const hooks = configs.flatMap((config) => config.hooks ?? []).map(({ name }) => name);
    const double = hooks.find((name, index) => hooks.indexOf(name) !== index);
    if (double !== undefined) throw invalid(this, `has two hooks named "${double}"`, 'give each a name of its own');
    return groupConfigOf(
      this,
      props,
      configs,
      members.some((member) => member._guarded()),
      names,
    );
  }

  /** @internal */
  protected override _secrets({ members }: BackupGroupProps): readonly MountedVolume[] {
    return members.flatMap((member) => member._secrets());
  }
}
