/** Where a server's data stands, out of INFO. Pure. */
import type { ClusterMaster } from './cluster';
import { type Info, keysOf } from './replies';
import type { Dialect } from './versions';

/** In the record: the mode and whether it is exact are added by the plan. */
export type Position = Readonly<Record<string, string>>;

/**
 * Whether each write moves the replication offset: where there is a backlog for replicas, and from 7.2 on where there is an
 * append-only file. Without it the number says nothing.
 */
export function offsetCounts(info: Info, dialect: Dialect): boolean {
  return (
    info.role === 'slave' || info.repl_backlog_active === '1' || (info.aof_enabled === '1' && dialect.syncsOnDemand)
  );
}

/** The position: the offset where it counts, the keys, and the length of the append-only files where those are copied. */
export function positionOf(info: Info, dialect: Dialect, withFiles: boolean): Position {
  const { master_replid: replid = '', aof_current_size: bytes, aof_base_size: base } = info;
  return {
    ...(offsetCounts(info, dialect) ? { replid, offset: offsetOf(info) } : {}),
    ...(info.role === 'slave'
      ? { primary: `${info.master_host}:${info.master_port}`, received: info.slave_read_repl_offset ?? '' }
      : {}),
    keys: keysOf(info),
    ...(withFiles && bytes !== undefined ? { aofBytes: bytes, aofBaseBytes: base ?? '' } : {}),
  };
}

/**
 * The length of a copy's append-only files, as the original counted it: one that was started without any makes a first base
 * and does not count it, until it is started again or rewrites them.
 */
export function aofBytesAs(recorded: Position, copy: Info): number {
  const { aof_current_size: all, aof_base_size: base } = copy;
  return Number(all) - (recorded.aofBaseBytes === '0' ? Number(base) : 0);
}

/** Which part of a cluster's keys this is: the slots, whose they were, and by which of the cluster's decisions. */
export function placeInCluster(node: ClusterMaster | undefined): Position {
  return node === undefined ? {} : { node: node.id, slots: node.slots, configEpoch: node.configEpoch };
}

/**
 * What changes with every write, whatever is on: the changes since the last dump, the append-only files. Not the offset: a
 * primary's pings to its replicas move it, and no pause holds those up [tried: Redis 8.0, Valkey 8.1].
 */
export function writesOf(info: Info): Readonly<Record<string, string>> {
  return {
    changes: info.rdb_changes_since_last_save ?? '',
    ...(info.aof_enabled === '1' ? { aofBytes: info.aof_current_size ?? '' } : {}),
  };
}

/** Where a server's data stood between two looks: without an offset where pings have moved that in between. */
export function positionBetween(before: Info, after: Info, dialect: Dialect): Position {
  const { replid, offset, ...rest } = positionOf(before, dialect, false);
  const known = replid !== undefined && offset !== undefined && offsetOf(after) === offset;
  return known ? { replid, offset, ...rest } : rest;
}

/** A replica's own place in what its primary sends; a primary's in what it has sent. */
function offsetOf(info: Info): string {
  return (info.role === 'slave' ? info.slave_repl_offset : undefined) ?? info.master_repl_offset ?? '';
}
