import { type App, Chart } from 'cdk8s';
import { BackupSchedule, BackupVolume, FreezeHook, HookPod, SnapshotClass, VolumeBackup } from 'stillpoint';

/**
 * Files that an application writes, where no database is to be held: the application is told to stand still by commands of its own,
 * then its file system is frozen; both are asked whether they hold, and let go in turn, the last first.
 */
export function uploads(app: App): Chart {
  const chart = new Chart(app, 'uploads', { namespace: 'shop' });
  const pod = HookPod.ofStatefulSet('backend');
  new VolumeBackup(chart, 'uploads', {
    volumes: [BackupVolume.fromClaimName('files-backend-0')],
    hooks: [
      FreezeHook.commands('writer', {
        pod,
        preFreeze: ['node', '/app/hold.mjs', 'POST', '/hold'],
        postThaw: ['node', '/app/hold.mjs', 'POST', '/let-go'],
        check: ['node', '/app/hold.mjs', 'GET', '/held'],
      }),
      FreezeHook.fileSystem('files', { pod, mountPath: '/files' }),
    ],
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.daily({ hour: 4 }),
  });
  return chart;
}
