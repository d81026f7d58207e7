/** How large the parts of an upload are. Pure. */

const MiB = 1024 * 1024;

/** What a store admits. */
export interface PartLimits {
  readonly parts: number;
  readonly partBytes: number;
}

/** Enough for a long line to a store, and four of them are little in a pod of 256 MiB. */
export const LEAST_PART_BYTES = 8 * MiB;
/** What may be on its way at once: of larger parts fewer are. */
const IN_FLIGHT_BYTES = 32 * MiB;

/**
 * The size of a part, from its number, the first being 1. Where the length is not known they grow: 8 MiB for the first four
 * tenths of what the store admits (32 GiB of S3's), then twice as much each tenth: 1,000 GiB in all. Where it is, all but the
 * last tenth have one size, which some stores demand; that tenth is for content which is longer than was said.
 */
export function partBytes(number: number, limits: PartLimits, expectedBytes?: number): number {
  const tenth = limits.parts / 10;
  if (expectedBytes === undefined) {
    const doublings = Math.max(0, Math.ceil((number - 4 * tenth) / tenth));
    return Math.min(limits.partBytes, LEAST_PART_BYTES * 2 ** doublings);
  }
  const even = Math.max(LEAST_PART_BYTES, Math.ceil(expectedBytes / (9 * tenth) / MiB) * MiB);
  return Math.min(limits.partBytes, number <= 9 * tenth ? even : even * 8);
}

/** How many parts of a size may be on their way at once. */
export function partsInFlight(bytes: number): number {
  return Math.max(1, Math.floor(IN_FLIGHT_BYTES / bytes));
}
