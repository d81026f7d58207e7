import { describe, expect, it } from 'vitest';
import { LEAST_PART_BYTES, type PartLimits, partBytes, partsInFlight } from '../../../runner/storage/part-sizes';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const TiB = 1024 ** 4;
const S3 = { parts: 10_000, partBytes: 5 * GiB };
const GOOGLE = { parts: 120_000, partBytes: 64 * MiB };

/** The parts that a content is cut into, as far as the store admits any. */
function partsOf(bytes: number, expected: number | undefined, limits: PartLimits = S3): readonly number[] {
  const parts: number[] = [];
  for (let offset = 0; offset < bytes && parts.length < limits.parts; ) {
    const size = partBytes({ number: parts.length + 1, offset }, limits, expected);
    parts.push(Math.min(size, bytes - offset));
    offset += size;
  }
  return parts;
}

const sum = (parts: readonly number[]): number => parts.reduce((all, part) => all + part, 0);

describe('parts', () => {
  it.each([
    ['nothing is known', '5 TiB', undefined, 5 * TiB],
    ['10 MiB are expected', '5 TiB', 10 * MiB, 5 * TiB],
    ['20 GiB are expected', '5 TiB', 20 * GiB, 5 * TiB],
    ['60 GiB are expected', '1 TiB', 60 * GiB, TiB],
    ['80 GiB are expected', '1 TiB', 80 * GiB, TiB],
    ['1 TiB is expected', '4 TiB', TiB, 4 * TiB],
  ])('hold far more than was said: where %s, %s', (_said, _come, expected, bytes) => {
    const parts = partsOf(bytes, expected);
    expect(sum(parts)).toBe(bytes);
    expect(parts.length).toBeLessThanOrEqual(S3.parts);
  });

  it('hold as much as Google admits in one object (5 TiB), in chunks that fit into memory', () => {
    expect(sum(partsOf(5 * TiB, undefined, GOOGLE))).toBe(5 * TiB);
    expect(sum(partsOf(5 * TiB, 10 * MiB, GOOGLE))).toBe(5 * TiB);
  });

  it.each([
    // Around what 10,000 parts of the least size hold: 78 GiB.
    [70 * GiB, 70 * GiB, 8],
    [70.5 * GiB, 70.5 * GiB, 9],
    [78 * GiB, 78 * GiB, 9],
    [79 * GiB, 79 * GiB, 9],
    [80 * GiB, 80 * GiB, 10],
    [60 * GiB, 70 * GiB, 8],
    [5 * TiB, 5 * TiB, 583],
  ])('have one size where %d bytes were expected and %d come: %i MiB', (expected, bytes, mebibytes) => {
    const parts = partsOf(bytes, expected);
    expect(sum(parts)).toBe(bytes);
    expect(new Set(parts.slice(0, -1))).toEqual(new Set([mebibytes * MiB]));
  });

  it.each([
    [20 * GiB, 24],
    [78 * GiB, 64],
    [133 * GiB, 112],
    [500 * GiB, 416],
  ])('are no larger than they have to be: of %d bytes that nobody expected up to %i MiB', (bytes, mebibytes) => {
    const parts = partsOf(bytes, undefined);
    expect(sum(parts)).toBe(bytes);
    expect(parts.reduce((a, b) => Math.max(a, b), 0)).toBeLessThanOrEqual(mebibytes * MiB);
    expect(parts[0]).toBe(LEAST_PART_BYTES);
  });

  it('are never larger than the store admits', () => {
    expect(partBytes({ number: 9_001, offset: 50 * TiB }, S3, 50 * TiB)).toBe(5 * GiB);
    expect(partBytes({ number: 10_000, offset: 50 * TiB }, S3)).toBe(5 * GiB);
  });

  it.each([
    [8, 4],
    [16, 2],
    [17, 1],
    [512, 1],
  ])('of %i MiB: %i at once', (mebibytes, count) => {
    expect(partsInFlight(mebibytes * MiB)).toBe(count);
  });
});
