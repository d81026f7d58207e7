import type { Construct } from 'constructs';
import type { BackupPolicyProps } from '../backup-props';
import { checkLabel, checkSnapshots, checkVolumes } from '../checks';
import type { MemberConfig, PolicyConfig } from '../contract';
import { BackupPolicy } from '../database-backup';
import { GroupMember } from '../group-member';
import { type FreezeHook, hooksOf } from '../hooks';
import { invalid } from '../invalid';
import { type PolicyNames, volumeConfigOf } from '../job-config';
import type { MountedVolume } from '../runner-pod';
import type { WorkloadRef } from '../stopped-workload';
import type { BackupVolume } from '../volumes';

/** Volumes with files, of no database. */
export interface VolumesProps {
  /** The volumes, by their claims. There is no server whose pod they could be found from. */
  readonly volumes: BackupVolume[];

  /**
   * What stands still while the volumes are cut: the program that writes to them, or their file system.
   *
   * @default - none: nothing is held
   */
  readonly hooks?: FreezeHook[];

  /**
   * What runs on the volumes, where it is to be stopped while they are cut: it is scaled to zero, and back as soon as they are,
   * whatever becomes of the backup. The record has the downtime.
   *
   * @default - none: it runs
   */
  readonly offline?: WorkloadRef;
}

/** Properties of a {@link VolumeBackup}. */
export interface VolumeBackupProps extends VolumesProps, BackupPolicyProps {}

/**
 * Backs up plain volumes on a schedule: files that belong to no database, as uploads. Each volume is cut at one instant, as it
 * is on the device; with a group snapshot class all of them are. Nothing is frozen: what a program has not written to the
 * device yet is not in the copy.
 *
 * Its main child is a CronJob, so a backup by hand is `kubectl create job --from=cronjob/<policy name> <any name>`.
 *
 * @example
 * new VolumeBackup(chart, 'uploads', {
 *   volumes: [BackupVolume.fromClaimName('uploads')],
 *   snapshotClass: SnapshotClass.fromName('retained'),
 *   schedule: BackupSchedule.daily({ hour: 3 }),
 * });
 */
export class VolumeBackup extends BackupPolicy {
  constructor(scope: Construct, id: string, props: VolumeBackupProps) {
    super(scope, id, props);
  }

  /** @internal */
  protected override _policyConfig(props: VolumeBackupProps, names: PolicyNames): PolicyConfig {
    checkSnapshots(this, props);
    checkPlainVolumes(this, props.volumes);
    return volumeConfigOf(this, props, memberOf(this, props), names);
  }

  /** @internal */
  protected override _secrets(props: VolumeBackupProps): readonly MountedVolume[] {
    return (props.hooks ?? []).flatMap((hook) => hook._secrets());
  }
}

/** Plain volumes as a member of a group: cut together with its databases, and not frozen. */
export class VolumeMember extends GroupMember {
  private readonly props: VolumesProps;

  constructor(name: string, props: VolumesProps) {
    super(name);
    this.props = props;
  }

  /** @internal */
  public override _guarded(): boolean {
    return (this.props.hooks ?? []).length > 0 || this.props.offline !== undefined;
  }

  /** @internal */
  public override _config(group: Construct): MemberConfig {
    checkLabel(group, `member ${this.name}`, this.name);
    checkPlainVolumes(group, this.props.volumes);
    return memberOf(group, this.props);
  }

  /** @internal */
  public override _secrets(): readonly MountedVolume[] {
    return (this.props.hooks ?? []).flatMap((hook) => hook._secrets());
  }
}

function memberOf(construct: Construct, { volumes, hooks, offline }: VolumesProps): MemberConfig {
  return {
    engine: 'volume',
    volumes: volumes.map((volume) => volume._toConfig()),
    ...(offline === undefined ? {} : { offline: offline._toConfig() }),
    ...hooksOf(construct, hooks, offline?._toConfig()),
  };
}

function checkPlainVolumes(construct: Construct, volumes: BackupVolume[]): void {
  checkVolumes(construct, { volumes });
  const byPod = volumes.find((volume) => volume._toConfig().podVolume !== undefined);
  if (byPod === undefined) return;
  throw invalid(
    construct,
    `finds the plain volume "${byPod.name}" from a server's pod, and there is no server`,
    'name its claim, its StatefulSet or its labels',
  );
}
