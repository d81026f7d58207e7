/** The lock on one server, from before it is asked for until it is taken back for certain. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Held, JOB_DEFAULTS } from '../../../src/contract';
import type { StepContext } from '../../engine';
import { asStillpointError, StillpointError } from '../../errors';
import { undoOf } from './guard';
import { type HeldLock, readLock, readOperations, takeLock, undoLateLock, undoLock, unlock } from './lock';
import type { MongoSession } from './session';
import { longWritesOf } from './state';

/** How long a moment is waited for in which no write is in the way, and how often it is looked for. */
const QUIET_LIMIT_MS = 20_000;
const QUIET_POLL_MS = 100;
const QUIET_SECONDS = 1;

/** How long one way back is tried before the next one is: less than half of what a thaw may take. */
const UNLOCK_TRY_MS = 6_000;

const LOCK_LIMIT_MS = JOB_DEFAULTS.lockTimeoutSeconds * 1000;

/** One lock of one backup on one server. */
export class ServerLock {
  readonly #lock: HeldLock;
  /** Whether it may be in force: it was asked for, and not taken back since. */
  asked = false;
  /** Whether this server was asked for it, and has said neither yes nor no: it may come yet. */
  #unanswered = false;
  #releasing: Promise<void> | undefined;

  constructor(
    readonly session: MongoSession,
    id: string,
  ) {
    this.#lock = { locks: 1, comment: `stillpoint ${id}` };
  }

  /** By it a request that still waits is told from those of others. */
  get comment(): string {
    return this.#lock.comment;
  }

  /** What the record says of it. */
  get held(): Held {
    const { server, direct } = this.session;
    const { host, port, name } = direct;
    return { member: server.member, host, port, undo: undoOf(this.#lock, server.process, name) };
  }

  /** A second way back, a moment in which nothing would be in the way of the lock, and a last look at whom it would hold. */
  async prepare({ signal }: Pick<StepContext, 'signal'>): Promise<void> {
    await this.session.openSpare(signal);
    await this.#untilQuiet(signal);
    await this.session.confirmMember(signal);
  }

  /**
   * A moment without a write that has been at work for a second: the wait of a mongod for its lock has no end of its own,
   * and while it waits all other writes queue up behind it (safety rule 4).
   */
  async #untilQuiet(signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      const [longest] = longWritesOf(await readOperations(this.session.connection, signal), QUIET_SECONDS);
      if (longest === undefined) return;
      if (tries * QUIET_POLL_MS >= QUIET_LIMIT_MS) {
        throw new StillpointError(
          'long-running-statement',
          `in ${QUIET_LIMIT_MS / 1000} s there was no moment without a write at work; ${longest.what} (operation ${longest.id}) has been for ${longest.seconds} s`,
          { hint: 'the lock would wait for it, and every write behind the lock: choose a quieter hour' },
        );
      }
      await delay(QUIET_POLL_MS, undefined, { signal });
    }
  }

  /** When it does not come, its connection is cut; {@link release} then takes back on another what may come later. */
  async take({ signal }: Pick<StepContext, 'signal'>): Promise<void> {
    const { member } = this.session.server;
    const limit = new AbortController();
    const error = new StillpointError('freeze-timeout', `${member} was not locked within ${LOCK_LIMIT_MS / 1000} s`, {
      hint: 'writes or transactions were in the way: look at db.currentOp(), or choose a quieter hour',
    });
    const timer = setTimeout(() => limit.abort(error), LOCK_LIMIT_MS);
    this.asked = true;
    this.#unanswered = true;
    try {
      const { connection } = this.session;
      const within = AbortSignal.any([signal, limit.signal]);
      const count = await takeLock(connection, this.comment, within).catch((thrown: unknown) => {
        this.#unanswered = !connection.usable;
        throw thrown;
      });
      this.#unanswered = false;
      if (count === this.#lock.locks) return;
      await unlock(connection, signal);
      this.asked = false;
      throw lockedBefore(member);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether the server is locked now, by whomever. */
  async isThere(signal: AbortSignal): Promise<boolean> {
    return (await readLock(this.session.connection, this.comment, signal)).locked;
  }

  /**
   * Unlocks: on the session, or on what else is connected when that is lost or waits for a lock that did not come. Who asks
   * while it is being done waits for the same: the server counts, and would be unlocked twice.
   */
  release({ signal }: Pick<StepContext, 'signal'>): Promise<void> {
    this.#releasing ??= this.#release(signal).finally(() => {
      this.#releasing = undefined;
    });
    return this.#releasing;
  }

  async #release(signal: AbortSignal): Promise<void> {
    if (!this.asked) return;
    const failures: unknown[] = [];
    for (const connection of this.session.waysBack) {
      try {
        const undo = this.#unanswered ? undoLateLock : undoLock;
        await undo(connection, this.#lock, AbortSignal.any([signal, AbortSignal.timeout(UNLOCK_TRY_MS)]));
        this.asked = false;
        this.#unanswered = false;
        return;
      } catch (error) {
        failures.push(error);
      }
    }
    const [first] = failures;
    const why = first === undefined ? 'no connection to it is left' : asStillpointError(first).message;
    throw new StillpointError('thaw-failed', `${this.session.server.member} may still be locked: ${why}`, {
      hint: 'its guard unlocks it when the budget is over; by hand: db.fsyncUnlock()',
      cause: first,
    });
  }
}

/** The server counts locks, and not whose they are. */
export function lockedBefore(member: string): StillpointError {
  return new StillpointError('freeze-left', `${member} was locked already (fsync), and not by this backup`, {
    hint: 'wait for the end of the backup whose lock it is; what is left of one that is no more ends by db.fsyncUnlock()',
  });
}
