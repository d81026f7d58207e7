/**
 * The ledger of the stand-in for a storage manager of NuoDB, which takes no rows: it writes numbered atoms of its own, four a
 * second. A row is the first atom that came after the row was begun, and is acknowledged when that is in the journal.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { LedgerClient } from './writer';

/** The number of the newest atom in the journal: what is there is committed. */
export interface Journal {
  readonly journal: number;
}

/** How often it is asked for its newest atom. */
const LOOK_MS = 20;

/** The ledger of a stand-in, or of a copy of it. `atoms`: which atom each row is, for all who share the ledger. */
export function atomLedger(atoms: Map<number, number>, state: () => Promise<Journal>): LedgerClient {
  return {
    prepare: async () => undefined,
    forget: async () => atoms.clear(),
    add: async (number) => {
      const { journal: before } = await state();
      while ((await state()).journal === before) await pause(LOOK_MS);
      atoms.set(number, before + 1);
    },
    numbers: async () => {
      const { journal } = await state();
      return [...atoms].flatMap(([number, atom]) => (atom <= journal ? [number] : [])).sort((a, b) => a - b);
    },
    end: async () => undefined,
  };
}
