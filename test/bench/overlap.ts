import type { BackupRecord } from '../../src/contract';

/** How many databases were held at one time, at most. Pure. */
export function heldAtOnce(records: readonly Pick<BackupRecord, 'times'>[]): number {
  const changes = records.flatMap(({ times: { frozen, thawed } }) => [
    { at: Date.parse(frozen ?? ''), by: 1 },
    { at: Date.parse(thawed ?? ''), by: -1 },
  ]);
  // One that is let go in the instant in which the next one is held does not overlap with it.
  const sorted = changes.sort((one, other) => one.at - other.at || one.by - other.by);
  let held = 0;
  let most = 0;
  for (const { by } of sorted) {
    held += by;
    most = Math.max(most, held);
  }
  return most;
}
