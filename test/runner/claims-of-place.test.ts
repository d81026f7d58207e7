import { describe, expect, it } from 'vitest';
import type { ServerPlace, Volume } from '../../runner/ports';
import { claimsOfPlace, eachOnce } from '../../runner/trace';

const PLACE: ServerPlace = {
  uid: 'p1',
  name: 'pod shop/orders-2',
  mounts: [
    { path: '/data', volume: 'data', claim: 'data-orders-2' },
    { path: '/run', volume: 'scratch', claim: undefined },
  ],
  workload: undefined,
};

describe("claims that are found from the server's pod", () => {
  it('are those that this pod has under the given names; the others are left to be found as they say', () => {
    const selections = [
      { name: 'data', role: 'data', podVolume: 'data' },
      { name: 'log', role: 'log', claim: 'wal' },
    ] as const;
    expect(claimsOfPlace(selections, PLACE)).toEqual([{ name: 'data', role: 'data', claim: 'data-orders-2' }]);
  });

  it.each(['wal', 'scratch'])('are refused where the pod mounts none as %s, with those that it mounts', (podVolume) => {
    expect(() => claimsOfPlace([{ name: 'data', role: 'data', podVolume }], PLACE)).toThrow(
      expect.objectContaining({
        code: 'claim-not-found',
        message: `pod shop/orders-2 mounts no claim as its volume ${podVolume}`,
        hint: 'it mounts data (data-orders-2): name one of them',
      }),
    );
  });
});

describe('claims of a policy', () => {
  const volume = (name: string, claim: string): Volume => ({ name, role: 'data', claim, namespace: 'shop' });

  it('are each another', () => {
    const volumes = [volume('one', 'a'), volume('two', 'b')];
    expect(eachOnce(volumes)).toBe(volumes);
  });

  it("are refused when one is found twice, as by its name and from the server's pod", () => {
    expect(() => eachOnce([volume('one', 'a'), volume('two', 'b'), volume('three', 'a')])).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: 'claim a is selected twice by the policy' }),
    );
  });
});
