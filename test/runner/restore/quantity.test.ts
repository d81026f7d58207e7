import { describe, expect, test } from 'vitest';
import { atMost, largest, parseQuantity } from '../../../runner/restore/quantity';

describe('parseQuantity', () => {
  test.each([
    ['1', 1_000_000_000n],
    ['1k', 1_000_000_000_000n],
    ['1Ki', 1_024_000_000_000n],
    ['1.5Gi', 1_610_612_736_000_000_000n],
    ['.5M', 500_000_000_000_000n],
    ['5.', 5_000_000_000n],
    ['+2G', 2_000_000_000_000_000_000n],
    ['100m', 100_000_000n],
    ['3n', 3n],
    ['1e3', 1_000_000_000_000n],
    ['12E2', 1_200_000_000_000n],
    ['1E', 1_000_000_000_000_000_000_000_000_000n],
    ['8Ei', 9_223_372_036_854_775_808_000_000_000n],
    // Smaller than a billionth: rounded up, as Kubernetes does.
    ['0.0000000001', 1n],
  ])('%s', (text, value) => {
    expect(parseQuantity(text)).toBe(value);
  });

  test.each(['', 'Gi', '1 Gi', '-1', '1GiB', '1gi', '1.2.3', 'e3', '1e', '٣'])('refuses "%s"', (text) => {
    expect(parseQuantity(text)).toBeUndefined();
  });
});

describe('largest', () => {
  test.each([
    [['1Gi', '1G'], '1Gi'],
    [['1G', '1Gi'], '1Gi'],
    [['1024Mi', '1Gi'], '1024Mi'],
    [['536870912', '512Mi', '600M'], '600M'],
    [[undefined, 'nonsense', '1'], '1'],
    [['0', '10Gi'], '10Gi'],
    [[undefined], undefined],
  ])('of %j is %s', (quantities, expected) => {
    expect(largest(quantities)).toBe(expected);
  });
});

describe('at most', () => {
  test.each([
    ['5Gi', '2Gi', '2Gi'],
    ['1Gi', '2Gi', '1Gi'],
    ['1024Mi', '1Gi', '1024Mi'],
    ['5Gi', undefined, '5Gi'],
    [undefined, '2Gi', undefined],
    ['nonsense', '2Gi', 'nonsense'],
  ])('%s, but no more than %s, is %s', (quantity, limit, expected) => {
    expect(atMost(quantity, limit)).toBe(expected);
  });
});
