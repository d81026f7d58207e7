/** What a policy says of the storage managers of a NuoDB, as its Helm chart runs them. */
import type { Construct } from 'constructs';
import type { BackupPolicyProps } from '../backup-props';
import { checkEnum } from '../check-kinds';
import type { MemberConfig, ServerSelection } from '../contract';
import { invalid } from '../invalid';

/** How the backup hooks of a storage manager make its archive stand still: as the Helm chart has set them. */
export enum NuoDbFreezeMode {
  /** The engine pauses archiving, and transactions go on. NuoDB from 6.0.2. */
  HOTSNAP = 'hotsnap',
  /** The file system of the archive is frozen, and transactions go on as long as they need nothing from it. */
  FSFREEZE = 'fsfreeze',
  /** The engine's process is stopped. */
  SUSPEND = 'suspend',
}

/** Which storage managers of a NuoDB are backed up, and how they are held. */
export interface NuoDbServersProps {
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
   * How the hooks are set to hold the archive. Where the manifest of their pod says another mode, the backup is refused.
   *
   * @default - as the manifest says, else NuoDbFreezeMode.HOTSNAP
   */
  readonly freezeMode?: NuoDbFreezeMode;

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

/**
 * The storage managers and their volumes, without what a control plane made them from.
 *
 * @internal
 */
export function nuoDbServersOf(
  { freezeMode, ignoreClaims, ...servers }: NuoDbServersProps,
  { groupSnapshotClass }: Pick<BackupPolicyProps, 'groupSnapshotClass'>,
): MemberConfig {
  return {
    engine: 'nuodb',
    servers: serversOf(servers),
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

type ServersProps = Pick<NuoDbServersProps, 'databaseLabel' | 'domain' | 'hooksPort' | 'storageGroupReleases'>;

function serversOf({ databaseLabel, domain, hooksPort, storageGroupReleases }: ServersProps): ServerSelection {
  return {
    matchLabels: { ...STORAGE_MANAGER, database: databaseLabel, ...(domain === undefined ? {} : { domain }) },
    port: hooksPort ?? HOOKS_PORT,
    groupLabel: RELEASE_LABEL,
    ...(storageGroupReleases === undefined ? {} : { groups: storageGroupReleases }),
  };
}

/**
 * How several servers come to be of one instant.
 *
 * @internal
 */
export const NUODB_AT_ONE_INSTANT =
  "set groupSnapshotClass: GroupSnapshotClass.fromName('…'), or freezeMode: NuoDbFreezeMode.SUSPEND where the hooks do that";

type GroupsProps = Pick<NuoDbServersProps, 'storageGroupReleases' | 'freezeMode'> &
  Pick<BackupPolicyProps, 'groupSnapshotClass'>;

/**
 * Throws what speaks against the freeze mode and the storage groups in themselves.
 *
 * @internal
 */
export function checkNuoDbServers(construct: Construct, props: GroupsProps): void {
  checkEnum(construct, 'freezeMode', props.freezeMode, NuoDbFreezeMode);
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
    NUODB_AT_ONE_INSTANT,
  );
}
