import type { ISecret } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import type { BackupPolicyProps } from '../backup-props';
import { checkEnum } from '../check-kinds';
import { checkSnapshots } from '../checks';
import { type DatabaseResource, type MemberConfig, MOUNTS, type PolicyConfig, type ServerSelection } from '../contract';
import { BackupPolicy } from '../database-backup';
import { invalid } from '../invalid';
import { type PolicyNames, serversConfigOf } from '../job-config';
import { type MountedVolume, SECRET_FILE_MODE } from '../runner-pod';

/** How the backup hooks of a storage manager make its archive stand still: as the Helm chart has set them. */
export enum NuoDbFreezeMode {
  /** The engine pauses archiving, and transactions go on. NuoDB from 6.0.2. */
  HOTSNAP = 'hotsnap',
  /** The file system of the archive is frozen, and transactions go on as long as they need nothing from it. */
  FSFREEZE = 'fsfreeze',
  /** The engine's process is stopped. */
  SUSPEND = 'suspend',
}

/** Properties of a {@link NuoDbBackup}. */
export interface NuoDbBackupProps extends BackupPolicyProps {
  /** The database's name in its NuoDB domain: the Helm chart's `database.name`, and the label `database` of its pods. */
  readonly databaseLabel: string;

  /**
   * The domain: the Helm chart's `admin.domain`, and the label `domain` of its pods.
   *
   * @default - whichever: there is one database of that name in the namespace
   */
  readonly domain?: string;

  /**
   * The Helm releases whose storage managers have a storage group each, where the database has table partitions: the label
   * `release` of their pods. One storage manager of each is backed up, all at one instant: that takes a group snapshot class, or
   * `NuoDbFreezeMode.SUSPEND`.
   *
   * @default - none: every storage manager has all of the database, and one is backed up
   */
  readonly storageGroupReleases?: string[];

  /**
   * The port of the backup hooks: `database.backupHooks` of the Helm chart.
   *
   * @default 8000
   */
  readonly hooksPort?: number;

  /**
   * How the hooks are set to hold the archive. They do not say, and the record does.
   *
   * @default NuoDbFreezeMode.HOTSNAP
   */
  readonly freezeMode?: NuoDbFreezeMode;

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

  /**
   * Claims of the storage managers that hold nothing of the database, as that of the volume `log-volume`.
   *
   * @default - none: one that is not backed up is reported
   */
  readonly ignoreClaims?: string[];
}

/** The volumeClaimTemplates of the Helm chart. [doc: templates/statefulset.yaml] */
const ARCHIVE_VOLUME = 'archive-volume';
const JOURNAL_VOLUME = 'journal-volume';

/** The labels of its pods. */
const STORAGE_MANAGER = { group: 'nuodb', component: 'sm' } as const;
const RELEASE_LABEL = 'release';

const HOOKS_PORT = 8000;

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
    checkEnum(this, 'freezeMode', props.freezeMode, NuoDbFreezeMode);
    checkGroups(this, props);
    checkResource(this, props);
    return serversConfigOf(this, props, memberOf(props), names);
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

function memberOf({ freezeMode, ignoreClaims, groupSnapshotClass, ...props }: NuoDbBackupProps): MemberConfig {
  const resource = resourceOf(props);
  return {
    engine: 'nuodb',
    servers: serversOf(props),
    ...(resource === undefined ? {} : { resource }),
    volumes: [
      { name: 'archive', role: 'data', podVolume: ARCHIVE_VOLUME },
      // Without one of its own, the journal lies within the archive.
      { name: 'journal', role: 'log', podVolume: JOURNAL_VOLUME, optional: true },
    ],
    ...(ignoreClaims === undefined ? {} : { ignoreClaims }),
    layout: groupSnapshotClass === undefined ? 'auto' : 'group',
    ...(freezeMode === undefined ? {} : { engineOptions: { freezeMode } }),
  };
}

type ServersProps = Pick<NuoDbBackupProps, 'databaseLabel' | 'domain' | 'hooksPort' | 'storageGroupReleases'>;

function serversOf({ databaseLabel, domain, hooksPort, storageGroupReleases }: ServersProps): ServerSelection {
  return {
    matchLabels: { ...STORAGE_MANAGER, database: databaseLabel, ...(domain === undefined ? {} : { domain }) },
    port: hooksPort ?? HOOKS_PORT,
    groupLabel: RELEASE_LABEL,
    ...(storageGroupReleases === undefined ? {} : { groups: storageGroupReleases }),
  };
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

function checkGroups(construct: Construct, props: NuoDbBackupProps): void {
  const { storageGroupReleases: releases, groupSnapshotClass, freezeMode } = props;
  if (releases === undefined) return;
  const twice = releases.find((release, index) => releases.indexOf(release) !== index);
  if (releases.length === 0 || twice !== undefined) {
    throw invalid(
      construct,
      releases.length === 0 ? 'names no release of a storage group' : `names the release "${twice}" twice`,
      'name each Helm release with a storage group once, or leave storageGroupReleases out',
    );
  }
  if (releases.length === 1 || groupSnapshotClass !== undefined || freezeMode === NuoDbFreezeMode.SUSPEND) return;
  throw invalid(
    construct,
    `has ${releases.length} storage groups, and transactions go on while their archives stand still`,
    "set groupSnapshotClass: GroupSnapshotClass.fromName('…'), or freezeMode: NuoDbFreezeMode.SUSPEND where the hooks do that",
  );
}
