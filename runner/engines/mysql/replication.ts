/** What a replica says of its source: who that is, how far it has come with it, and how far that is behind. */
import type { Row } from './connection';
import { isOn, type ServerFacts } from './facts';
import { normalGtid } from './gtid';
import type { Ask, Position } from './position';

/** A connection of the server to one that it replicates from. */
export interface Source {
  /** host:port. */
  readonly source: string;
  /** Empty for the usual one; of several sources each has a name. */
  readonly channel: string;
  /** How far it has executed what the source has in its binary log. */
  readonly executed: LogPosition;
  /** How far it has received it. */
  readonly received: LogPosition;
  /** By the server's own count; undefined while nothing is applied. */
  readonly behindSeconds: string | undefined;
  /** Whether both of its threads are at work. */
  readonly running: boolean;
}

export interface LogPosition {
  readonly file: string;
  readonly position: string;
}

/** Reads all sources; none of a primary. Both flavours have each column under its old name or under its new one. */
export async function readSources(ask: Ask, { dialect }: ServerFacts): Promise<readonly Source[]> {
  const rows = await ask('asking whether the server is a replica', dialect.replicaStatus);
  return rows.map((row) => {
    const of = (name: string): string => column(row, name) ?? '';
    return {
      source: `${of('Source_Host')}:${of('Source_Port')}`,
      channel: row.Channel_Name ?? row.Connection_name ?? '',
      executed: { file: of('Relay_Source_Log_File'), position: of('Exec_Source_Log_Pos') },
      received: { file: of('Source_Log_File'), position: of('Read_Source_Log_Pos') },
      behindSeconds: column(row, 'Seconds_Behind_Source') ?? undefined,
      running: [of('Replica_IO_Running'), of('Replica_SQL_Running')].every((state) => state === 'Yes'),
    };
  });
}

function column(row: Row, name: string): string | null | undefined {
  return row[name] ?? row[name.replace('Source', 'Master').replace('Replica', 'Slave')];
}

/**
 * Whether the position that a replica shows in its source's log is the one that it has executed. With several workers it
 * is that of their last checkpoint, some hundred milliseconds ago: a lower bound [tried, MySQL 9 with its four].
 */
export function showsExecuted({ settings }: ServerFacts): boolean {
  const workers =
    settings.replica_parallel_workers ?? settings.slave_parallel_workers ?? settings.slave_parallel_threads;
  return workers === undefined || workers === '0';
}

/**
 * Where the workers of MySQL have come to, each in a row of its own, which is written with each of their transactions. As
 * they commit in the source's order, the newest of them is the replica's own position. Empty where the account may not read it.
 */
export async function readWorkers(ask: Ask, { dialect, settings }: ServerFacts): Promise<readonly LogPosition[]> {
  const ordered = isOn(settings.replica_preserve_commit_order ?? settings.slave_preserve_commit_order);
  if (dialect.workerPositions === undefined || !ordered) return [];
  const rows = await ask('reading how far the workers are', dialect.workerPositions).catch(() => []);
  return rows.map(({ file, position }) => ({ file: file ?? '', position: position ?? '' }));
}

/** Where a replica stands; nothing of a primary. */
export async function readReplicaPosition(ask: Ask, server: ServerFacts): Promise<Position> {
  const [source] = await readSources(ask, server);
  if (source === undefined) return {};
  const workers = showsExecuted(server) ? [] : await readWorkers(ask, server);
  const executed = latest([source.executed, ...workers]) ?? source.executed;
  const sourceGtid = await readSourceGtid(ask, server);
  return {
    source: source.source,
    ...(sourceGtid === undefined ? {} : { sourceGtid }),
    sourceFile: executed.file,
    sourcePosition: executed.position,
    sourceExact: String(showsExecuted(server) || workers.length > 0),
    receivedFile: source.received.file,
    receivedPosition: source.received.position,
    behindSeconds: source.behindSeconds ?? 'unknown',
  };
}

/** The transactions of the source that a server has; undefined where its own position has them. */
export async function readSourceGtid(ask: Ask, { dialect }: Pick<ServerFacts, 'dialect'>): Promise<string | undefined> {
  if (dialect.sourceGtid === undefined) return undefined;
  const [row] = await ask("reading the source's transactions", `SELECT ${dialect.sourceGtid} AS gtid`);
  return normalGtid(row?.gtid ?? '');
}

/**
 * Temporary tables that statements of the source have made on a replica: they are in no file, and what comes next in the
 * source's log may need them.
 */
export async function readOpenTemporaryTables(ask: Ask, { dialect }: ServerFacts): Promise<number> {
  const sql = `SELECT variable_value AS count FROM ${dialect.statusTable} WHERE variable_name IN ('Replica_open_temp_tables', 'Slave_open_temp_tables')`;
  const rows = await ask('counting temporary tables of the replication', sql);
  return Math.max(0, ...rows.map(({ count }) => Number(count)));
}

/** The latest of some positions in one binary log, whose files are numbered. */
export function latest(positions: readonly LogPosition[]): LogPosition | undefined {
  return positions.reduce<LogPosition | undefined>(
    (newest, each) => (newest !== undefined && compare(newest, each) >= 0 ? newest : each),
    undefined,
  );
}

function compare(a: LogPosition, b: LogPosition): number {
  return numberOfFile(a) - numberOfFile(b) || Number(a.position) - Number(b.position);
}

function numberOfFile({ file }: LogPosition): number {
  return Number(/\.(\d+)$/.exec(file)?.[1] ?? -1);
}
