/** How large the parts of an upload are. Pure. */

const MiB = 1024 * 1024;

/** What a store admits. */
export interface PartLimits {
  readonly parts: number;
  readonly partBytes: number;
}

/** Where a part is in its content. */
export interface PartPlace {
  /** The first is 1. */
  readonly number: number;
  /** How many bytes were before it. */
  readonly offset: number;
}

/** Enough for a long line to a store, and four of them are little in a pod of 256 MiB. */
export const LEAST_PART_BYTES = 8 * MiB;
/** What may be on its way at once: of larger parts fewer are. */
const IN_FLIGHT_BYTES = 32 * MiB;
/** So much longer than the last one may a content be, and its parts still have one size. */
const USUAL_GROWTH = 1.5;

/**
 * The size of a part. As far as the content is about as long as was said, all have one size, which some stores demand: nine
 * tenths of the parts take it. Beyond that, and where nothing is known, they grow with what went before: a part is a
 * 1,250th of it (where a store admits 10,000), and when fewer are left, as much as would double it with them. So a content of which
 * nothing or little was expected can be as large as a store admits, and a long one costs no more memory than it has to.
 */
export function partBytes({ number, offset }: PartPlace, limits: PartLimits, expectedBytes = 0): number {
  const most = limits.parts * 0.9;
  const even = Math.max(LEAST_PART_BYTES, Math.ceil(expectedBytes / most / MiB) * MiB);
  if (number <= most && offset < expectedBytes * USUAL_GROWTH) return Math.min(limits.partBytes, even);
  const left = limits.parts - number + 1;
  const grown = offset / Math.max(1, Math.min(limits.parts / 8, left));
  // Steps, since buffers of one size are used again.
  return Math.min(limits.partBytes, Math.max(1, Math.ceil(grown / even)) * even);
}

/** How many parts of a size may be on their way at once. */
export function partsInFlight(bytes: number): number {
  return Math.max(1, Math.floor(IN_FLIGHT_BYTES / bytes));
}
