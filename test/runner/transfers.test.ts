/** The judge of the group's test: it has to see each thing that can be wrong. */
import { describe, expect, test } from 'vitest';
import { compareStations, type Transfer } from '../ledger/transfers';

const CUTS = { firstAsked: 100, lastSeen: 200 };
/** Arrived before, on its way (its credit not begun), its credit sent and not acknowledged, begun after. */
const TRANSFERS: readonly Transfer[] = [
  {
    number: 1,
    steps: [
      { begun: 1, acknowledged: 2 },
      { begun: 3, acknowledged: 4 },
    ],
  },
  {
    number: 2,
    steps: [
      { begun: 90, acknowledged: 95 },
      { begun: 205, acknowledged: 206 },
    ],
  },
  {
    number: 3,
    steps: [
      { begun: 90, acknowledged: 95 },
      { begun: 96, acknowledged: 250 },
    ],
  },
  {
    number: 4,
    steps: [
      { begun: 210, acknowledged: 211 },
      { begun: 212, acknowledged: 213 },
    ],
  },
];
const NOTHING = { withoutDebit: [], lost: [], notOnItsWay: [], missed: [] };

describe('transfers in two copies', () => {
  test.each([
    ['what was sent and not acknowledged is not there', [1, 2, 3], [1], { ...NOTHING, inFlight: 2 }],
    ['what was sent and not acknowledged is there', [1, 2, 3], [1, 3], { ...NOTHING, inFlight: 1 }],
    ['a credit without its debit', [1, 3], [1, 2], { withoutDebit: [2], missed: [2] }],
    ['a credit that had arrived is lost', [1, 2, 3], [], { lost: [1], notOnItsWay: [1] }],
    ['a debit of after the cuts', [1, 2, 3, 4], [1], { notOnItsWay: [4] }],
    ['a credit of after the cuts', [1, 2, 3], [1, 2, 3], { missed: [2] }],
    ['a debit that had arrived is lost', [1, 3], [1], { missed: [2] }],
  ])('%s', (_, before, after, verdict) => {
    expect(compareStations(TRANSFERS, [0, before, after], CUTS)).toMatchObject(verdict);
  });
});
