/** Where a server's binary log stands, and a replica in its source's. */
import type { Connection } from './connection';
import { isOn, type ServerFacts } from './facts';
import { normalGtid } from './gtid';
import { readReplicaPosition } from './replication';

/** A position, as the record has it; what the server does not have is left out. */
export interface Position {
  readonly binlogFile?: string;
  readonly binlogPosition?: string;
  /** gtid_executed, or gtid_binlog_pos. */
  readonly gtid?: string;
  /** Of a replica: its source as host:port. */
  readonly source?: string;
  /** The transactions that it has of its source, where `gtid` does not have them: gtid_slave_pos. */
  readonly sourceGtid?: string;
  /** How far it has executed its source's binary log, and whether it is no further. */
  readonly sourceFile?: string;
  readonly sourcePosition?: string;
  readonly sourceExact?: string;
  /** How far it had received it: what lies in between was not executed yet. */
  readonly receivedFile?: string;
  readonly receivedPosition?: string;
  /** How far it was behind, by its own count; `unknown` while it applies nothing. */
  readonly behindSeconds?: string;
}

/** Asks on one session, so that `ask` can arm each statement. */
export type Ask = (what: string, sql: string) => ReturnType<Connection['rows']>;

/** Reads the position; empty where there is no binary log, and no source. */
export async function readPosition(ask: Ask, server: ServerFacts): Promise<Position> {
  return { ...(await readOwnPosition(ask, server)), ...(await readReplicaPosition(ask, server)) };
}

async function readOwnPosition(ask: Ask, { dialect, settings }: ServerFacts): Promise<Position> {
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

/**
 * Whether what has been committed need not be on disk: then the logs are flushed under the lock. A lock is no durability:
 * a cut holds what the device holds.
 */
export function needsFlush({ settings }: Pick<ServerFacts, 'settings'>): boolean {
  const binlog = isOn(settings.log_bin) && settings.sync_binlog !== '1';
  return binlog || settings.innodb_flush_log_at_trx_commit !== '1';
}

/** The same by the settings as they are now: others may set them at any time, as a batch does for its own time. */
export async function needsFlushNow(ask: Ask, { settings }: Pick<ServerFacts, 'settings'>): Promise<boolean> {
  const sql = 'SELECT @@GLOBAL.sync_binlog AS binlog, @@GLOBAL.innodb_flush_log_at_trx_commit AS redo';
  const [now] = await ask('reading when commits are synced', sql);
  return needsFlush({
    settings: { ...settings, sync_binlog: now?.binlog ?? '', innodb_flush_log_at_trx_commit: now?.redo ?? '' },
  });
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
