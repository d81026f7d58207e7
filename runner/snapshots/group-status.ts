/** Reads the state of a group snapshot out of the API's objects: pure, so that every case is a test. */
import type { Volume } from '../ports';
import { cutSign, driverFacts } from './drivers';
import type { VolumeGroupSnapshot, VolumeGroupSnapshotContent } from './objects';
import { type CutFacts, nanosecondsToTime } from './status';

/** How far a group snapshot has come. */
export type GroupState =
  | { readonly kind: 'pending' }
  | { readonly kind: 'error'; readonly message: string }
  /** It was cut, but of other volumes than were meant: labels have changed since the check. */
  | { readonly kind: 'wrong'; readonly message: string }
  /** By the plan's name of the volume. */
  | { readonly kind: 'cut'; readonly facts: ReadonlyMap<string, CutFacts> };

/** Reads a group's state. Without its content nothing is known of the single volumes; its members tell later. */
export function groupState(
  group: VolumeGroupSnapshot,
  seenContent: VolumeGroupSnapshotContent | undefined,
  volumes: readonly Volume[],
): GroupState {
  const content = seenContent?.spec.volumeGroupSnapshotRef.uid === group.metadata.uid ? seenContent : undefined;
  const driver = content?.spec.driver ?? volumes[0]?.driver;
  const sign = cutSign(driver);
  const stands = (status: VolumeGroupSnapshot['status'] | VolumeGroupSnapshotContent['status']): boolean =>
    status !== undefined && (sign === 'creationTime' ? status.creationTime !== undefined : status.readyToUse === true);
  const bound = (group.status?.boundVolumeGroupSnapshotContentName ?? '') !== '';
  if (!stands(content?.status) && !(bound && stands(group.status))) {
    const message = content?.status?.error?.message ?? group.status?.error?.message;
    return message === undefined ? { kind: 'pending' } : { kind: 'error', message };
  }
  const wrong = content === undefined ? undefined : otherVolumes(content, volumes);
  if (wrong !== undefined) return { kind: 'wrong', message: wrong };
  const common = { driver, driverKnown: driverFacts(driver).known, seenBy: sign, content: undefined };
  const facts = volumes.map((volume): [string, CutFacts] => {
    const info = content?.status?.volumeSnapshotInfoList?.find((each) => each.volumeHandle === volume.volumeHandle);
    const cutAt = info?.creationTime;
    return [
      volume.name,
      {
        ...common,
        handle: info?.snapshotHandle,
        cutAt: cutAt === undefined ? (content?.status ?? group.status)?.creationTime : nanosecondsToTime(cutAt),
        restoreSize: info?.restoreSize === undefined ? undefined : `${info.restoreSize}`,
      },
    ];
  });
  return { kind: 'cut', facts: new Map(facts) };
}

/** What is cut besides, or instead of, the volumes that were meant. */
function otherVolumes({ status }: VolumeGroupSnapshotContent, volumes: readonly Volume[]): string | undefined {
  const cut = (status?.volumeSnapshotInfoList ?? []).map(({ volumeHandle }) => volumeHandle ?? '').sort();
  const handles = volumes.map(({ volumeHandle }) => volumeHandle);
  if (handles.some((handle) => handle === undefined)) {
    return cut.length === volumes.length ? undefined : `${cut.length} volumes instead of ${volumes.length}`;
  }
  const meant = [...handles].sort();
  if (cut.length === meant.length && cut.every((handle, index) => handle === meant[index])) return undefined;
  return `the volumes ${cut.join(', ')} instead of ${meant.join(', ')}`;
}
