/** Where the paths of an original server lie on restored volumes. Pure. */
import { isAbsolute, join, relative } from 'node:path';
import type { BackupRecord } from '../../src/contract';
import type { MountedVolume } from '../engine';

/**
 * Where a path of the original server lies now, given one volume: under the volume's mount, and, where the original had
 * mounted only a folder of the volume, under that folder.
 */
export function movedPaths(
  original: string,
  volume: Pick<MountedVolume, 'name' | 'path'>,
  record: BackupRecord,
): readonly string[] {
  const recorded = record.volumes.find(({ name }) => name === volume.name);
  if (recorded?.mountPath === undefined) return [];
  const below = relative(recorded.mountPath, original);
  if (below.startsWith('..') || isAbsolute(below)) return [];
  return [
    join(volume.path, below),
    ...(recorded.subPath === undefined ? [] : [join(volume.path, recorded.subPath, below)]),
  ];
}
