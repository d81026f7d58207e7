/**
 * The lock on writes (fsync). It belongs to the server and not to the connection that asked for it: it goes on until
 * somebody unlocks it or the server ends. The server counts how often it was taken, and not by whom.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { StillpointError } from '../../errors';
import type { Connection } from './connection';
import { ILLEGAL_OPERATION, numberOf } from './errors';
import { at, listAt, numberAt, type Reply } from './reply';

/** What is to be undone, as it stands in a record. */
export interface HeldLock {
  /** How often it was taken. */
  readonly locks: number;
  /** The comment of our commands: by it a request that is still waiting is told from those of others. */
  readonly comment: string;
}

/** What shows of the lock. */
export interface LockState {
  readonly locked: boolean;
  /** Our own request for it waits: on a mongod it goes on when nobody waits for its answer any more. */
  readonly pending: boolean;
}

const RETRY_MS = 100;

/** How often a server is looked at for a lock whose request was given up before it was answered. */
const LATE_LOOKS = 40;

/** Asks for the lock, and says how often the server is locked now. What was written is on disk when it answers. */
export async function takeLock(connection: Connection, comment: string, signal: AbortSignal): Promise<number> {
  const answer = await connection.command('locking writes out', { fsync: 1, lock: true, comment }, signal);
  return numberAt(answer, 'lockCount') ?? 1;
}

/** Looks whether the server is locked. */
export async function readLock(connection: Connection, comment: string, signal?: AbortSignal): Promise<LockState> {
  return lockStateOf(await readOperations(connection, signal), comment);
}

/** What goes on at the server, with the lock. */
export async function readOperations(connection: Connection, signal?: AbortSignal): Promise<Reply> {
  return await connection.command('looking at what the server does', { currentOp: 1 }, signal);
}

/** The lock in an answer to currentOp. */
export function lockStateOf(operations: Reply, comment: string): LockState {
  return {
    locked: operations.fsyncLock === true,
    pending: listAt(operations, 'inprog').some(
      (operation) => at(operation, 'command.fsync') !== undefined && at(operation, 'command.comment') === comment,
    ),
  };
}

/** Unlocks once. Says how often the server is still locked, undefined when it was not. */
export async function unlock(connection: Connection, signal?: AbortSignal): Promise<number | undefined> {
  try {
    return numberAt(await connection.command('unlocking', { fsyncUnlock: 1 }, signal), 'lockCount') ?? 0;
  } catch (error) {
    if (numberOf(error) === ILLEGAL_OPERATION) return undefined;
    throw error;
  }
}

/**
 * Takes back our own locks, also one that is only going to be granted: as many as we took and not one more, since the
 * others are somebody else's. Says how many there were.
 */
export async function undoLock(connection: Connection, held: HeldLock, signal: AbortSignal): Promise<number> {
  for (let undone = 0; undone < held.locks; ) {
    const { locked, pending } = await readLock(connection, held.comment, signal);
    if (!locked && !pending) return undone;
    const left = await unlock(connection, signal);
    if (left !== undefined) undone++;
    else await delay(RETRY_MS, undefined, { signal });
  }
  return held.locks;
}

/**
 * Takes back a lock whose request was given up unanswered: what was sent may come to the server, or to its turn there, after
 * the question whether it is there. Throws thaw-failed when it was never seen: then nobody can say that it does not come.
 */
export async function undoLateLock(
  connection: Connection,
  held: HeldLock,
  signal: AbortSignal,
  retryMs = RETRY_MS,
): Promise<void> {
  for (let look = 0; look < LATE_LOOKS; look++) {
    if ((await undoLock(connection, held, signal)) > 0) return;
    await delay(retryMs, undefined, { signal });
  }
  throw new StillpointError(
    'thaw-failed',
    'the request for the lock was given up, and has not been seen at the server',
  );
}
