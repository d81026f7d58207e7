/** Unlocks a server whose runner is gone (safety rule 8): on a connection of its own that was there before the lock. */
import type { Held } from '../../../src/contract';
import type { EngineGuard, GuardSession, Target } from '../../engine';
import { StillpointError } from '../../errors';
import type { Log } from '../../ports';
import { Connection } from './connection';
import { isSameProcess, processName, readServer, type ServerFacts, type ServerProcess } from './facts';
import { type HeldLock, readLock, undoLock } from './lock';
import { isBalancer, openBalancerGuard } from './sharded/balancer';

/** The guard of MongoDB. */
export const guard: EngineGuard = {
  open: (target, held, log, signal) =>
    isBalancer(held) ? openBalancerGuard(target, held, signal) : openGuard(target, held, log, signal),
};

/** What the record says of a lock, in the words of its map: how to undo it, and at which run of which program. */
export function undoOf(
  { locks, comment }: HeldLock,
  { id, pid, startedMs }: ServerProcess,
  name: string,
): Held['undo'] {
  return {
    locks: String(locks),
    comment,
    name,
    ...(id === undefined ? {} : { process: id }),
    ...(pid === undefined ? {} : { pid: String(pid) }),
    started: new Date(startedMs).toISOString(),
  };
}

/** Connects to the very server. It is asked who it is: what was locked is free when its program has ended. */
export async function openGuard(
  target: Target,
  held: Held,
  _log: Log,
  signal: AbortSignal,
): Promise<MongoGuardSession> {
  const { host, port, member, undo } = held;
  const connection = await Connection.open(target, { host, port, name: undo.name ?? target.connection.host }, signal);
  try {
    const server = await readServer(connection, signal);
    if (server.member !== member || !isSameProcess(server.process, heldProcess(undo))) throw another(held, server);
    const lock: HeldLock = { locks: Number(undo.locks ?? 1), comment: undo.comment ?? '' };
    return new MongoGuardSession(connection, member, lock);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function heldProcess({ process, pid, started = '' }: Held['undo']): ServerProcess {
  return { id: process, pid: pid === undefined ? undefined : Number(pid), startedMs: Date.parse(started) };
}

/** A guard's own connection to one member. */
export class MongoGuardSession implements GuardSession {
  #left: number;

  constructor(
    private readonly connection: Connection,
    private readonly member: string,
    private readonly lock: HeldLock,
  ) {
    this.#left = lock.locks;
  }

  get lost(): AbortSignal {
    return this.connection.lost;
  }

  async holds(signal: AbortSignal): Promise<boolean> {
    if (this.#left === 0) return false;
    const { locked, pending } = await readLock(this.connection, this.lock.comment, signal);
    return locked || pending;
  }

  /** What was taken back once is not taken back again: a lock that is there then is somebody else's. */
  async undo(signal: AbortSignal): Promise<readonly string[]> {
    if (this.#left === 0) return [];
    const undone = await undoLock(this.connection, { ...this.lock, locks: this.#left }, signal);
    this.#left -= undone;
    return undone === 0 ? [] : [`unlocked ${this.member} (fsyncUnlock)`];
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

function another({ host, port, member, undo }: Held, found: ServerFacts): StillpointError {
  const is = `${found.member} (${processName(found.process)})`;
  const was = `${member} (${processName(heldProcess(undo))})`;
  return new StillpointError('server-changed', `at ${host}:${port} answers ${is}, not ${was} any more`, {
    hint: 'a server that was started anew is not locked any more: there is nothing to undo at it',
  });
}
