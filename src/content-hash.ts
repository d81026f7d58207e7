import { createHash } from 'node:crypto';

/**
 * A short hash of what an object says, for names of objects that cannot be changed.
 *
 * @internal
 */
export function contentHash(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 8);
}
