/**
 * A backup of a MongoDB server as a plan for the executor: the lock on writes (or none), the position, the cut, the
 * unlock.
 *
 * Locked, the copy ends exactly at the recorded operation: nothing is written between the position and the last cut, and
 * the lock itself has brought to disk what was written before. Without a lock the copy is what a crash would have left;
 * what was written before the first cut was asked for is brought to disk first.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Held, JOB_DEFAULTS } from '../../../src/contract';
import type { Plan, PlanRequest, PlanResults, PlanStep, StepContext } from '../../engine';
import { asStillpointError, StillpointError } from '../../errors';
import { cutsTogether, refuseProblems } from '../../plan-request';
import { lastWriteOf } from './facts';
import { undoOf } from './guard';
import { locks, requestProblems } from './layout';
import { type HeldLock, readOperations, takeLock, undoLock, unlock } from './lock';
import type { MongoSession } from './session';
import { longWritesOf } from './state';

/** Plans a request on a session. Throws what speaks against the request in itself. */
export function planBackup(session: MongoSession, request: PlanRequest): Plan {
  refuseProblems(requestProblems(request));
  return new MongoPlan(session, request);
}

/** How long a moment is waited for in which no write is in the way, and how often it is looked for. */
const QUIET_LIMIT_MS = 20_000;
const QUIET_POLL_MS = 100;
const QUIET_SECONDS = 1;

/** How long one way back is tried before the next one is: less than half of what a thaw may take. */
const UNLOCK_TRY_MS = 6_000;

/** A server acknowledges a write of `w: 1` before its journal has it: up to 100 ms before. [doc: journaling] */
const NOT_LOCKED =
  'the server was not locked: writes that were acknowledged before they were in the journal (write concern w: 1 without j) may be missing from the copy, as after a crash';

const LOCK_LIMIT_MS = JOB_DEFAULTS.lockTimeoutSeconds * 1000;

class MongoPlan implements Plan {
  readonly layout: string;
  readonly freezes: Plan['freezes'];
  readonly statement: string;
  readonly steps: readonly PlanStep[];
  readonly held: readonly Held[];
  readonly #locks: boolean;
  readonly #lock: HeldLock;
  #asked = false;
  #position: Readonly<Record<string, string>> = {};

  constructor(
    private readonly session: MongoSession,
    request: PlanRequest,
  ) {
    const together = cutsTogether(request);
    this.#locks = locks(request);
    this.#lock = { locks: 1, comment: `stillpoint ${request.id}` };
    this.layout = together ? 'group' : request.volumes.length > 1 ? 'locked' : 'atomic';
    this.freezes = this.#locks ? 'writes' : 'nothing';
    this.statement = this.#locks
      ? 'the server was locked against writes from before the position was read until after the last cut, and what had been written was on disk before the first'
      : 'all volumes were cut at one instant, while one session saw the same server before and after; crash recovery completes the copy';
    this.held = this.#locks ? [this.#heldOf(session)] : [];
    this.steps = [
      ...(this.#locks ? [this.#lockStep(), this.#positionStep()] : [this.#positionStep(), this.#flushStep()]),
      { kind: 'cut', volumes: request.volumes.map(({ name }) => name), how: together ? 'together' : 'individually' },
    ];
  }

  readonly observe = (within: StepContext): Promise<Readonly<Record<string, string>>> =>
    this.session.observe(within, this.#locks);

  /** Unlocks: on the session, or on what else is connected when that is lost or waits for a lock that did not come. */
  readonly thaw = async ({ signal }: StepContext): Promise<void> => {
    if (!this.#asked) return;
    const failures: unknown[] = [];
    for (const connection of this.session.waysBack) {
      try {
        await undoLock(connection, this.#lock, AbortSignal.any([signal, AbortSignal.timeout(UNLOCK_TRY_MS)]));
        this.#asked = false;
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
  };

  readonly results = (): PlanResults => {
    const { behindSeconds } = this.session.chosen;
    return {
      position: {
        lock: String(this.#locks),
        exact: String(this.#locks),
        ...this.#position,
        ...(behindSeconds === undefined ? {} : { behindSeconds: String(Math.round(behindSeconds)) }),
      },
      artifacts: {},
      warnings: this.#locks ? [] : [NOT_LOCKED],
    };
  };

  #heldOf({ server, direct }: MongoSession): Held {
    const { host, port, name } = direct;
    return { member: server.member, host, port, undo: undoOf(this.#lock, server.process, name) };
  }

  #lockStep(): PlanStep {
    return {
      kind: 'act',
      name: 'lock',
      freezes: true,
      run: async (within) => {
        await this.session.openSpare(within.signal);
        await this.#waitForQuiet(within);
        await this.#take(within);
      },
    };
  }

  /**
   * The wait of a mongod for its lock has no end of its own, and while it waits all other writes queue up behind it. So
   * it begins in a moment without a write that has been at work for a second (safety rule 4).
   */
  async #waitForQuiet({ signal }: StepContext): Promise<void> {
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

  /** When it does not come, its connection is cut; the thaw then takes back on another what may come later. */
  async #take({ signal }: StepContext): Promise<void> {
    const { member } = this.session.server;
    const limit = new AbortController();
    const error = new StillpointError('freeze-timeout', `${member} was not locked within ${LOCK_LIMIT_MS / 1000} s`, {
      hint: 'writes or transactions were in the way: look at db.currentOp(), or choose a quieter hour',
    });
    const timer = setTimeout(() => limit.abort(error), LOCK_LIMIT_MS);
    this.#asked = true;
    try {
      const { connection } = this.session;
      const count = await takeLock(connection, this.#lock.comment, AbortSignal.any([signal, limit.signal]));
      if (count === this.#lock.locks) return;
      await unlock(connection, signal);
      this.#asked = false;
      throw new StillpointError('freeze-left', `${member} was locked ${count - 1} times already (fsync)`, {
        hint: 'wait for the end of the backup whose lock it is; what is left of one that is no more ends by db.fsyncUnlock()',
      });
    } finally {
      clearTimeout(timer);
    }
  }

  #positionStep(): PlanStep {
    return {
      kind: 'act',
      name: 'read the position',
      run: async ({ signal }) => {
        const found = lastWriteOf(await this.session.hello(signal));
        if (found === undefined) return;
        const { opTime, term, at } = found;
        this.#position = {
          opTime,
          ...(term === undefined ? {} : { term }),
          ...(at === undefined ? {} : { lastWrite: at.toISOString() }),
        };
      },
    };
  }

  /** Without a lock the position is a lower bound: what was written by then is on disk before the first cut. */
  #flushStep(): PlanStep {
    return {
      kind: 'act',
      name: 'flush',
      run: async ({ signal }) => {
        await this.session.connection.command('flushing what was written', { fsync: 1 }, signal);
      },
    };
  }
}
