/** What a restore into folders will make: each volume below one target. Pure. */
import { isAbsolute, join, relative } from 'node:path';
import type { BackupRecord } from '../../src/contract';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import { cutOf, type RestorePlan } from './plan';

/**
 * Plans `<target>/<volume>` for each volume. One that lay inside another (the log's folder in the data folder) lies
 * inside it again.
 */
export function planFolders(record: BackupRecord, target: string): RestorePlan {
  const outside = record.volumes.find(({ claim }) => !isAbsolute(claim));
  if (outside !== undefined) {
    throw new StillpointError(
      'usage-invalid',
      `backup ${recordPath(record)} is one of claims (${outside.claim}), not of folders`,
      { hint: 'restore it into claims, with --claim' },
    );
  }
  const folders = record.volumes.map(({ name, claim }) => ({ name, claim }));
  const made = (claim: string, name: string): string => {
    const outer = folders
      .filter((other) => other.claim !== claim && isInside(claim, other.claim))
      .sort((a, b) => b.claim.length - a.claim.length)[0];
    if (outer === undefined) return join(target, name);
    return join(made(outer.claim, outer.name), relative(outer.claim, claim));
  };
  return {
    name: target,
    namespace: '',
    record,
    volumes: record.volumes.map((volume) => ({
      name: volume.name,
      role: volume.role,
      cut: cutOf(record, volume),
      claim: made(volume.claim, volume.name),
      accessModes: [],
      mountPath: volume.claim,
    })),
  };
}

/** Whether a path lies below a folder. */
export function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && !way.startsWith('..') && !isAbsolute(way);
}
