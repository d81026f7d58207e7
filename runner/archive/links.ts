/** Where symbolic links lead: what is outside of the copied volumes is in no copy. Pure. */
import { posix } from 'node:path';

/** A volume as the server had it. */
export interface LinkedVolume {
  readonly name: string;
  /** Where the server had it mounted; left out where that is not known. */
  readonly mountPath?: string | undefined;
  /** The folder of the volume that was mounted there; the whole where there is none. */
  readonly subPath?: string | undefined;
}

/**
 * Whether a link, as the server would follow it, stays on the volumes: what is absolute leads by the places where they were mounted
 * (pg_wal → /wal/pg_wal), what is relative stays within its own volume, or leads to one of those places.
 */
export function leadsWithin(path: string, target: string, volumes: readonly LinkedVolume[]): boolean {
  if (target === '' || target.includes('\0')) return false;
  if (posix.isAbsolute(target)) return isMounted(posix.normalize(target), volumes);
  const [volume = '', ...parts] = path.split('/');
  const inVolume = posix.normalize(posix.join('/', ...parts.slice(0, -1)));
  // A `..` too many at the root of a volume would stay there for normalize, and leave it for the server.
  const depth = inVolume === '/' ? 0 : inVolume.split('/').length - 1;
  if (climb(target) <= depth) return true;
  const of = volumes.find(({ name }) => name === volume);
  const seen = of === undefined ? undefined : seenAt(inVolume, of);
  return seen !== undefined && isMounted(posix.join(seen, target), volumes);
}

/** How many folders a relative path goes up at most from where it begins. */
function climb(target: string): number {
  let [at, up] = [0, 0];
  for (const part of target.split('/')) {
    if (part === '..') at -= 1;
    else if (part !== '' && part !== '.') at += 1;
    up = Math.max(up, -at);
  }
  return up;
}

/** Where the server saw a folder of a volume; undefined where it did not. */
function seenAt(folder: string, { mountPath, subPath = '' }: LinkedVolume): string | undefined {
  if (mountPath === undefined) return undefined;
  const root = posix.normalize(posix.join('/', subPath));
  const below = posix.relative(root, folder);
  return below === '..' || below.startsWith('../') ? undefined : posix.join(mountPath, below);
}

function isMounted(path: string, volumes: readonly LinkedVolume[]): boolean {
  return volumes.some(({ mountPath }) => mountPath !== undefined && isBelow(path, mountPath));
}

function isBelow(path: string, folder: string): boolean {
  const below = posix.relative(folder, path);
  return below !== '..' && !below.startsWith('../');
}
