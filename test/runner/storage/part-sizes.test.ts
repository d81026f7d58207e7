import { describe, expect, it } from 'vitest';
import { partBytes, partsInFlight } from '../../../runner/storage/part-sizes';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const TiB = 1024 ** 4;
const S3 = { parts: 10_000, partBytes: 5 * GiB };

/** How much goes into all the parts that a store admits. */
function room(expected?: number): number {
  return Array.from({ length: S3.parts }, (_, index) => partBytes(index + 1, S3, expected)).reduce((a, b) => a + b, 0);
}

describe('parts', () => {
  it.each([
    [1, 8],
    [4000, 8],
    [4001, 16],
    [5000, 16],
    [5001, 32],
    [10_000, 512],
  ])('of unknown content: number %i has %i MiB', (number, mebibytes) => {
    expect(partBytes(number, S3)).toBe(mebibytes * MiB);
  });

  it.each([
    [1, 0, 8],
    [1, 70 * GiB, 8],
    [1, 80 * GiB, 10],
    [9000, 80 * GiB, 10],
    [9001, 80 * GiB, 80],
    [1, 5 * TiB, 583],
    [9001, 5 * TiB, 4664],
  ])('number %i of about %d bytes has %i MiB', (number, expected, mebibytes) => {
    expect(partBytes(number, S3, expected)).toBe(mebibytes * MiB);
  });

  it('are never larger than the store admits', () => {
    expect(partBytes(9001, S3, 50 * TiB)).toBe(5 * GiB);
  });

  it('are enough for what is expected, and for half as much again', () => {
    expect(room()).toBeGreaterThanOrEqual(1000 * GiB);
    for (const expected of [0, 1, 70 * GiB, 79 * GiB, TiB, 5 * TiB]) {
      expect(room(expected)).toBeGreaterThanOrEqual(expected * 1.5);
    }
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
