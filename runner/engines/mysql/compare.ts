/** Compares where a restored copy's binary log ends with the position in the record. */
import type { BackupRecord } from '../../../src/contract';
import { StillpointError } from '../../errors';
import type { Finding } from '../../ports';
import type { Row } from './connection';
import { numberOf } from './errors';
import { missingTransactions } from './gtid';
import { type Ask, changesData, type Position } from './position';
import { recordedDialect } from './recorded';
import { latest, readSourceGtid } from './replication';

/**
 * The findings on the position. Of a backup in mode `global` the copy has to end exactly there; of the others it may go
 * on: what was committed between the position and the cut.
 */
export async function compareWithRecord(ask: Ask, copy: Position, record: BackupRecord): Promise<readonly Finding[]> {
  return [...(await compareOwn(ask, copy, record)), ...(await compareSource(ask, record))];
}

/** Where a copy of a replica stands in the log of the original's source. */
async function compareSource(ask: Ask, record: BackupRecord): Promise<readonly Finding[]> {
  const { source, sourceGtid, sourceFile, sourcePosition, sourceExact, exact } = record.position ?? {};
  if (source === undefined) return [];
  const dialect = recordedDialect(record);
  const recorded = `${sourceFile}:${sourcePosition}`;
  const findings: Finding[] = [];
  if (sourceGtid !== undefined) {
    findings.push(...compareTransactions(sourceGtid, await readSourceGtid(ask, { dialect }), exact === 'true', record));
  }
  if (dialect.workerPositions === undefined || dialect.checkpointPosition === undefined) return findings;
  if (exact !== 'true' || sourceExact !== 'true') return findings;
  const positions = [
    ...(await ask('reading how far its workers were', dialect.workerPositions)),
    ...(await ask('reading the last checkpoint of its workers', dialect.checkpointPosition)),
  ].map(({ file, position }) => ({ file: file ?? '', position: position ?? '' }));
  const there = latest(positions);
  const reached = there === undefined ? 'nothing' : `${there.file}:${there.position}`;
  return [
    ...findings,
    finding(
      reached === recorded,
      'source',
      `it has executed the log of ${source} to exactly the recorded ${recorded}`,
      `it has executed the log of ${source} to ${reached}, the record says ${recorded}`,
    ),
  ];
}

/** Where its own binary log ends. */
async function compareOwn(ask: Ask, copy: Position, record: BackupRecord): Promise<readonly Finding[]> {
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
    const events =
      file === end.file
        ? await ask(
            'reading the binary log',
            `SHOW BINLOG EVENTS IN '${file}' FROM ${end.position} LIMIT ${MOST_EVENTS}`,
          )
        : await readableEvents(ask, file);
    for (const { Pos, Event_type } of events) {
      if (changesData(Event_type ?? '')) changes.push(`${file}:${Pos} ${Event_type}`);
    }
  }
  return changes;
}

/** More than enough to tell what a log goes on with. */
const MOST_EVENTS = 200;

/** ER_ERROR_WHEN_EXECUTING_COMMAND: there is something that is no event. */
const UNREADABLE = 1220;

/**
 * The events of a log that was opened under the lock: the server does not sync what it writes there by itself, so the copy
 * may have it torn [seen, MariaDB 11.8]. What is behind the tear no server reads: it is no change that the copy has.
 */
async function readableEvents(ask: Ask, file: string): ReturnType<Ask> {
  const what = 'reading the binary log';
  const whole = await unlessTorn(ask(what, `SHOW BINLOG EVENTS IN '${file}' LIMIT ${MOST_EVENTS}`));
  if (whole !== undefined) return whole;
  const events: Row[] = [];
  while (events.length < MOST_EVENTS) {
    const next = await unlessTorn(ask(what, `SHOW BINLOG EVENTS IN '${file}' LIMIT ${events.length}, 1`));
    if (next?.[0] === undefined) return events;
    events.push(next[0]);
  }
  return events;
}

async function unlessTorn(asked: ReturnType<Ask>): Promise<readonly Row[] | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof StillpointError && numberOf(error.cause) === UNREADABLE) return undefined;
    throw error;
  }
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

function finding(holds: boolean, subject: string, yes: string, no: string): Finding {
  return holds
    ? { severity: 'ok', code: 'ok', subject, message: yes }
    : { severity: 'error', code: 'restore-differs', subject, message: no };
}
