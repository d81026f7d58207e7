/** What the two ledgers, the writer's and the restored one, say about a backup. */
import type { BackupRecord } from '../../src/contract';
import { compareLedger, type LedgerWriter } from '../../test/ledger/writer';
import type { Verdict } from './screen';

/** The instants between which the copy was made, by the writer's clock. */
export interface Cuts {
  readonly firstAsked: number;
  readonly lastSeen: number;
}

/** Compares, and puts the numbers into lines. */
export function judge(record: BackupRecord, ledger: LedgerWriter, restored: readonly number[], cuts: Cuts): Verdict {
  const { present, lost, foreign } = compareLedger(ledger.rows, restored, cuts);
  const before = ledger.rows.filter(({ acknowledged }) => (acknowledged ?? Number.POSITIVE_INFINITY) < cuts.firstAsked);
  const holds = lost.length === 0 && foreign.length === 0 && record.proof?.holds === true;
  const stalls = {
    during: ledger.longestStallMs(cuts.firstAsked, cuts.lastSeen),
    before: ledger.longestStallMs(0, cuts.firstAsked),
  };
  return {
    holds,
    sentence: holds
      ? 'every row acknowledged before the first cut was asked for is there, and none that was begun after the last'
      : `${lost.length} acknowledged rows are missing (${lost.slice(0, 5).join(', ')}), ${foreign.length} are from after the cut`,
    lines: [
      {
        what: 'rows committed at the cut',
        value: String(before.length),
        remark: 'acknowledged before it was asked for: none of these may be missing',
      },
      { what: 'rows restored', value: String(present), remark: 'these, and those committed while it was made' },
      { what: 'rows lost', value: String(lost.length) },
      { what: 'rows from after the cut', value: String(foreign.length) },
      windowLine(record),
      {
        what: 'longest stall a client saw',
        value: `${Math.round(stalls.during)} ms`,
        remark: `meanwhile; ${Math.round(stalls.before)} ms before`,
      },
    ],
  };
}

function windowLine({ layout, freezeWindowMs = 0 }: BackupRecord): Verdict['lines'][number] {
  const value = `${freezeWindowMs} ms`;
  return layout === 'backup-mode'
    ? { what: 'PostgreSQL in backup mode', value, remark: 'it never stood still: writes went on' }
    : { what: 'from asking to cut seen', value, remark: 'nothing was held: crash recovery completes the copy' };
}
