/** The names of objects. Pure. */
import { StillpointError } from '../errors';

/** What S3, GCS and Azure admit; Swift and file systems are near it. */
const LONGEST_BYTES = 1024;

/** A key as the store has it: with the prefix. Refuses what would leave the prefix, or mean two things in two stores. */
export function fullKey(prefix: string | undefined, key: string): string {
  const full = prefix === undefined ? key : `${prefix}/${key}`;
  const parts = key.split('/');
  const odd = parts.some((part) => part === '' || part === '.' || part === '..') || /[\p{Cc}\\]/u.test(key);
  if (odd || Buffer.byteLength(full) > LONGEST_BYTES) {
    throw new StillpointError('store-refused', `"${key}" is no key of an object`, {
      hint: 'a key has parts with / between them, none of them empty, "." or "..", and 1024 bytes at most',
    });
  }
  return full;
}

/** What the keys of a listing begin with: `prefix` may be empty, or end in the middle of a name. */
export function fullPrefix(prefix: string | undefined, of: string): string {
  return prefix === undefined ? of : `${prefix}/${of}`;
}

/** A key without the store's prefix. */
export function ownKey(prefix: string | undefined, full: string): string {
  return prefix === undefined ? full : full.slice(prefix.length + 1);
}
