import type { ISecret } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import type { BackupPolicyProps } from '../backup-props';
import { checkLabel, checkSnapshots } from '../checks';
import { type DatabaseResource, type MemberConfig, MOUNTS, type PolicyConfig } from '../contract';
import { BackupPolicy } from '../database-backup';
import { GroupMember } from '../group-member';
import { invalid } from '../invalid';
import { type PolicyNames, serversConfigOf } from '../job-config';
import { type MountedVolume, SECRET_FILE_MODE } from '../runner-pod';
import {
  checkNuoDbServers,
  NUODB_AT_ONE_INSTANT,
  NuoDbFreezeMode,
  type NuoDbServersProps,
  nuoDbServersOf,
} from './nuodb-servers';

/** Properties of a {@link NuoDbBackup}. */
export interface NuoDbBackupProps extends BackupPolicyProps, NuoDbServersProps {
  /**
   * The `Database` resource (`cp.nuodb.com/v1beta1`) that NuoDB's control plane makes the database from, where that runs it: it is
   * kept in the record of each backup.
   *
   * @default - none is kept
   */
  readonly databaseResource?: string;

  /**
   * The organization in the control plane: with the project, the record says what it calls the backup, as
   * `/backups/acme/messaging/demo/20261126020000`.
   *
   * @default - the record says it not
   */
  readonly organization?: string;

  /**
   * The project in the control plane.
   *
   * @default - as for organization
   */
  readonly project?: string;

  /**
   * The Secret with the DBA's password. Each backup keeps it as it is then, in a Secret beside its record in the registry's
   * namespace: the account of the policy may make that, and cannot read it. It takes `databaseResource`.
   *
   * @default - it is not kept
   */
  readonly dbaCredentials?: ISecret;

  /**
   * The key of the password in that Secret.
   *
   * @default 'password'
   */
  readonly dbaPasswordKey?: string;
}

/** What NuoDB's control plane makes a database from. [doc: nuodb-cp-releases, docs/files/database.yaml] */
const DATABASE_KIND = { apiVersion: 'cp.nuodb.com/v1beta1', kind: 'Database', plural: 'databases' } as const;

/** The file with the DBA's password in the runner's pod, whatever its key is called. */
const PASSWORD = 'password';

/**
 * Backs up a NuoDB database on a schedule, as NuoDB's own Helm chart runs it: by snapshots of the archive and the journal of
 * one storage manager, the ready one with the lowest ordinal, whose archive stands still meanwhile. The chart has to have set
 * `database.backupHooks.enabled`.
 *
 * Its main child is a CronJob, so a backup by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new NuoDbBackup(chart, 'messaging-demo', {
 *   databaseLabel: 'demo',
 *   snapshotClass: SnapshotClass.fromName('retained'),
 *   schedule: BackupSchedule.daily({ hour: 3 }),
 * });
 */
export class NuoDbBackup extends BackupPolicy {
  constructor(scope: Construct, id: string, props: NuoDbBackupProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _policyConfig(props: NuoDbBackupProps, names: PolicyNames): PolicyConfig {
    checkSnapshots(this, props);
    checkNuoDbServers(this, props);
    checkResource(this, props);
    const resource = resourceOf(props);
    const member = nuoDbServersOf(props, props);
    return serversConfigOf(this, props, resource === undefined ? member : { ...member, resource }, names);
  }

  /** @internal */
  protected override _secrets({ dbaCredentials, dbaPasswordKey }: NuoDbBackupProps): readonly MountedVolume[] {
    if (dbaCredentials === undefined) return [];
    const items = [{ key: dbaPasswordKey ?? PASSWORD, path: PASSWORD }];
    const secret = { name: dbaCredentials.name, optional: true, items };
    return [
      {
        volume: { name: 'kept', projected: { defaultMode: SECRET_FILE_MODE, sources: [{ secret }] } },
        path: MOUNTS.kept,
      },
    ];
  }
}

/** What a NuoDB in a group has. */
export interface NuoDbMemberProps extends NuoDbServersProps {}

/**
 * A NuoDB in a group. Its transactions go on while its archive stands still, so that the whole group is cut at one instant, by a
 * group snapshot; or its hooks suspend it, and the group says so by `NuoDbFreezeMode.SUSPEND`. What a control plane made it from
 * is kept by a {@link NuoDbBackup} alone.
 *
 * @example
 * new BackupGroup(chart, 'shop', {
 *   members: [
 *     new NuoDbMember('messaging', { databaseLabel: 'demo' }),
 *     new VolumeMember('attachments', { volumes: [BackupVolume.fromClaimName('attachments')] }),
 *   ],
 *   groupSnapshotClass: GroupSnapshotClass.fromName('together'),
 *   schedule: BackupSchedule.daily({ hour: 3 }),
 * });
 */
export class NuoDbMember extends GroupMember {
  private readonly props: NuoDbMemberProps;

  constructor(name: string, props: NuoDbMemberProps) {
    super(name);
    this.props = props;
  }

  /**
   * What the hooks have begun goes on without their caller.
   *
   * @internal
   */
  public override _guarded(): boolean {
    return true;
  }

  /** @internal */
  public override _config(group: Construct, policy: BackupPolicyProps): MemberConfig {
    const { freezeMode } = this.props;
    const { groupSnapshotClass } = policy;
    checkLabel(group, `member ${this.name}`, this.name);
    checkNuoDbServers(group, { ...this.props, ...(groupSnapshotClass === undefined ? {} : { groupSnapshotClass }) });
    if (groupSnapshotClass === undefined && freezeMode !== NuoDbFreezeMode.SUSPEND) {
      throw invalid(
        group,
        `has the member "${this.name}", a NuoDB whose transactions go on while its archive stands still`,
        NUODB_AT_ONE_INSTANT,
      );
    }
    return nuoDbServersOf(this.props, policy);
  }

  /**
   * Nobody logs in.
   *
   * @internal
   */
  public override _secrets(): readonly MountedVolume[] {
    return [];
  }
}

type ResourceProps = Pick<
  NuoDbBackupProps,
  'databaseLabel' | 'databaseResource' | 'organization' | 'project' | 'dbaCredentials'
>;

function resourceOf(props: ResourceProps): DatabaseResource | undefined {
  const { databaseResource: name, organization, project, databaseLabel, dbaCredentials } = props;
  if (name === undefined) return undefined;
  return {
    ...DATABASE_KIND,
    name,
    ...(organization === undefined ? {} : { path: `/backups/${organization}/${project}/${databaseLabel}` }),
    ...(dbaCredentials === undefined ? {} : { passwordFile: `${MOUNTS.kept}/${PASSWORD}` }),
  };
}

function checkResource(construct: Construct, props: ResourceProps): void {
  const { databaseResource, organization, project, dbaCredentials } = props;
  if ((organization === undefined) !== (project === undefined)) {
    throw invalid(construct, 'names one of organization and project', 'name both, or none');
  }
  if (databaseResource !== undefined || (organization ?? dbaCredentials) === undefined) return;
  throw invalid(
    construct,
    `keeps ${organization === undefined ? "the DBA's password" : 'what the control plane calls its backups'}, and no Database resource`,
    'name that too, as databaseResource, or leave both out',
  );
}
