/** Where a server's binary log stands. */
import type { Connection } from './connection';
import { isOn, type ServerFacts } from './facts';

/** A position, as the record has it; what the server does not have is left out. */
export interface Position {
  readonly binlogFile?: string;
  readonly binlogPosition?: string;
  /** gtid_executed, or gtid_binlog_pos. */
  readonly gtid?: string;
}

/** Asks on one session, so that `ask` can arm each statement. */
export type Ask = (what: string, sql: string) => ReturnType<Connection['rows']>;

/** Reads the position; empty where there is no binary log. */
export async function readPosition(ask: Ask, { dialect, settings }: ServerFacts): Promise<Position> {
  if (!isOn(settings.log_bin)) return {};
  const [status] = await ask('reading the position of the binary log', dialect.binlogStatus);
  const [transactions] = await ask('reading the executed transactions', `SELECT ${dialect.gtid} AS gtid`);
  const gtid = normalGtid(transactions?.gtid ?? '');
  return {
    binlogFile: status?.File ?? '',
    binlogPosition: status?.Position ?? '',
    ...(gtid === '' ? {} : { gtid }),
  };
}

/** MySQL breaks long sets into lines; the order of a set means nothing. */
export function normalGtid(text: string): string {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .sort()
    .join(',');
}

/**
 * Whether what has been committed need not be on disk: then the logs are flushed under the lock. A lock is no durability:
 * a cut holds what the device holds.
 */
export function needsFlush({ settings }: ServerFacts): boolean {
  const binlog = isOn(settings.log_bin) && settings.sync_binlog !== '1';
  return binlog || settings.innodb_flush_log_at_trx_commit !== '1';
}

/** Events that carry no change: what a server writes when it begins, ends or rotates a log. */
const HOUSEKEEPING = new Set([
  'Format_desc',
  'Previous_gtids',
  'Gtid_list',
  'Binlog_checkpoint',
  'Rotate',
  'Stop',
  'Start_encryption',
  'Ignorable',
]);

/** Whether an event of a binary log changes anything. */
export function changesData(eventType: string): boolean {
  return !HOUSEKEEPING.has(eventType);
}
