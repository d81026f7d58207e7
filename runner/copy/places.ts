/** Which of a policy's claims each volume of a backup is made into. Pure. */
import type { BackupRecord, CopyConfig } from '../../src/contract';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { PlannedVolume } from '../restore/plan';

type Copy = Pick<CopyConfig['spec']['copy'], 'volumes' | 'places'>;

/** `<volume>=<claim>` for each. Throws volume-mismatch where the backup has more volumes than the policy has places. */
export function placed(source: BackupRecord, { volumes, places }: Copy): readonly string[] {
  if (places !== true) return volumes.map(({ name, claim }) => `${name}=${claim}`);
  const names = source.volumes.map(({ name }) => name);
  if (names.length > volumes.length) {
    throw new StillpointError(
      'volume-mismatch',
      `backup ${recordPath(source)} has ${names.length} volumes (${names.join(', ')}), and its copy has places for ${volumes.length}`,
      { hint: `set maxVolumes of the SnapshotCopy to ${names.length} or more` },
    );
  }
  return names.map((name, index) => `${name}=${volumes[index]?.claim}`);
}

/** The worker's folder of a volume, where it is not called as that. */
export function folderOfPlace(
  { name, claim }: Pick<PlannedVolume, 'name' | 'claim'>,
  { volumes }: Copy,
): string | undefined {
  const place = volumes.find((each) => each.claim === claim)?.name;
  return place === name ? undefined : place;
}

/** The claims of places that stay empty: the worker's pod does not start without them. */
export function emptyPlaces(taken: readonly Pick<PlannedVolume, 'claim'>[], { volumes }: Copy): readonly string[] {
  return volumes.map(({ claim }) => claim).filter((claim) => !taken.some((volume) => volume.claim === claim));
}
