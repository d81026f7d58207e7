/** What each version of neo4j-admin can do, by its own word of its version. Pure. */
import { StillpointError } from '../../../errors';

/** A version, as far as lines differ by it. */
export interface AdminVersion {
  /** 4, 5, or a year. */
  readonly major: number;
  readonly minor: number;
}

/** Reads `neo4j-admin --version`. Throws tool-version for what the lines below are not known of. */
export function adminVersionOf(says: string): AdminVersion {
  const [, major, minor] = /(?:^|\s)(\d+)\.(\d+)/.exec(says) ?? [];
  const version = { major: Number(major), minor: Number(minor) };
  if (major !== undefined && (isAtLeast(version, 5, 0) || (version.major === 4 && version.minor === 4))) return version;
  throw new StillpointError('tool-version', `neo4j-admin says "${says.trim()}", and 4.4 and 5 or later are known`, {
    hint: 'name the Enterprise image that the server runs in',
  });
}

/** Whether a version is that one, or a later one. */
export function isAtLeast({ major, minor }: AdminVersion, wantedMajor: number, wantedMinor: number): boolean {
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** Whether backups are files that nothing changes any more. Before 5 they are folders, which the next backup changes in place. */
export function hasArtifacts(version: AdminVersion): boolean {
  return isAtLeast(version, 5, 0);
}

/**
 * Whether `database check` takes chains. From 2025.09 on it takes a database, a dump, or a full backup that is recovered.
 * [doc: Operations Manual 2025.09, Check database consistency, Aggregate a database backup chain; release notes of 2025.09]
 */
export function checksChains(version: AdminVersion): boolean {
  return !isAtLeast(version, 2025, 9);
}

export function wordOf({ major, minor }: AdminVersion): string {
  return `${major}.${String(minor).padStart(major > 1000 ? 2 : 1, '0')}`;
}
