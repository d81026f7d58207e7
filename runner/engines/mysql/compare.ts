/** Compares where a restored copy's binary log ends with the position in the record. */
import type { BackupRecord } from '../../../src/contract';
import type { Finding } from '../../ports';
import { type Ask, changesData, type Position } from './position';
import { recordedDialect } from './recorded';

/**
 * The findings on the position. Of a backup in mode `global` the copy has to end exactly there; of the others it may go
 * on: what was committed between the position and the cut.
 */
export async function compareWithRecord(ask: Ask, copy: Position, record: BackupRecord): Promise<readonly Finding[]> {
  const { binlogFile, binlogPosition, gtid, exact } = record.position ?? {};
  if (binlogFile === undefined) {
    return [finding(true, 'position', 'the record has no position to compare: read it from the copy', '')];
  }
  const logs = await ask('listing the binary logs', 'SHOW BINARY LOGS');
  const index = logs.findIndex(({ Log_name }) => Log_name === binlogFile);
  const size = Number(logs[index]?.File_size ?? -1);
  const reached = finding(
    size >= Number(binlogPosition),
    'position',
    `its binary log ${binlogFile} holds ${size} bytes, not less than the recorded ${binlogPosition}`,
    size < 0
      ? `it has no binary log ${binlogFile}, which the record names`
      : `its binary log ${binlogFile} holds ${size} bytes, less than the recorded ${binlogPosition}: what was committed there is missing`,
  );
  const transactions = compareTransactions(gtid, copy.gtid, exact === 'true', record);
  if (reached.severity === 'error' || exact !== 'true') return [reached, ...transactions];
  const names = logs.slice(index).map(({ Log_name }) => Log_name ?? '');
  const more = await changesAfter(ask, names, { file: binlogFile, position: Number(binlogPosition), size });
  return [
    reached,
    ...transactions,
    finding(
      more.length === 0,
      'position',
      `its binary log has no change after ${binlogFile}:${binlogPosition}`,
      `its binary log goes on after the recorded ${binlogFile}:${binlogPosition}: ${more.slice(0, 3).join(', ')}`,
    ),
  ];
}

/** The events after a position that change anything, as `file:position type`. */
async function changesAfter(
  ask: Ask,
  files: readonly string[],
  end: { readonly file: string; readonly position: number; readonly size: number },
): Promise<readonly string[]> {
  const changes: string[] = [];
  for (const file of files) {
    // At its very end there is no event to read, which the servers call an error.
    if (file === end.file && end.size === end.position) continue;
    const from = file === end.file ? ` FROM ${end.position}` : '';
    const events = await ask('reading the binary log', `SHOW BINLOG EVENTS IN '${file}'${from} LIMIT 200`);
    for (const { Pos, Event_type } of events) {
      if (changesData(Event_type ?? '')) changes.push(`${file}:${Pos} ${Event_type}`);
    }
  }
  return changes;
}

function compareTransactions(
  recorded: string | undefined,
  copy: string | undefined,
  exact: boolean,
  record: BackupRecord,
): readonly Finding[] {
  if (recorded === undefined) return [];
  const same = recorded === (copy ?? '');
  if (exact || same) {
    return [
      finding(
        same,
        'transactions',
        `its transactions are exactly the recorded ${recorded}`,
        `its transactions are ${copy ?? 'none'}, the record says ${recorded}`,
      ),
    ];
  }
  const missing = missingTransactions(recorded, copy ?? '', recordedDialect(record).flavour);
  return [
    finding(
      missing.length === 0,
      'transactions',
      `its transactions ${copy ?? ''} include the recorded ${recorded}`,
      `it lacks the transactions ${missing.join(', ')} of the record`,
    ),
  ];
}

/** The parts of a position that another does not include. Pure. */
export function missingTransactions(recorded: string, copy: string, flavour: 'mysql' | 'mariadb'): readonly string[] {
  return flavour === 'mariadb' ? missingOfDomains(recorded, copy) : missingOfSets(recorded, copy);
}

/** MariaDB: the newest of each domain and server, as `0-1-17`; what counts is the number in the domain. */
function missingOfDomains(recorded: string, copy: string): readonly string[] {
  const newest = new Map(
    copy.split(',').map((gtid) => {
      const [domain = '', , number = '0'] = gtid.split('-');
      return [domain, BigInt(number || '0')];
    }),
  );
  return recorded.split(',').filter((gtid) => {
    const [domain = '', , number = '0'] = gtid.split('-');
    return (newest.get(domain) ?? -1n) < BigInt(number);
  });
}

/** MySQL: sets of intervals of each server, as `uuid:1-17:20`. */
function missingOfSets(recorded: string, copy: string): readonly string[] {
  const there = intervalsOf(copy);
  return [...intervalsOf(recorded)].flatMap(([source, intervals]) =>
    intervals
      .filter(([from, to]) => !(there.get(source) ?? []).some(([low, high]) => low <= from && to <= high))
      .map(([from, to]) => `${source}:${from}-${to}`),
  );
}

function intervalsOf(set: string): ReadonlyMap<string, readonly (readonly [bigint, bigint])[]> {
  return new Map(
    set
      .split(',')
      .filter((part) => part !== '')
      .map((part) => {
        // MySQL 8.3 and newer may have a tag between the server and its intervals.
        const pieces = part.split(':');
        const firstInterval = pieces.findIndex((piece, index) => index > 0 && /^\d/.test(piece));
        const intervals = pieces.slice(firstInterval).map((interval) => {
          const [from = '0', to = from] = interval.split('-');
          return [BigInt(from), BigInt(to)] as const;
        });
        return [pieces.slice(0, firstInterval).join(':'), intervals] as const;
      }),
  );
}

function finding(holds: boolean, subject: string, yes: string, no: string): Finding {
  return holds
    ? { severity: 'ok', code: 'ok', subject, message: yes }
    : { severity: 'error', code: 'restore-differs', subject, message: no };
}
