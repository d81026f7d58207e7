/**
 * A backup of a MongoDB server as a plan for the executor: the lock on writes (or none), the position, the cut, the
 * unlock.
 *
 * Locked, the copy ends exactly at the recorded operation: nothing is written between the position and the last cut, and
 * the lock itself has brought to disk what was written before. Without a lock the copy is what a crash would have left;
 * what was written before the first cut was asked for is brought to disk first.
 */
import type { Held } from '../../../src/contract';
import type { Plan, PlanRequest, PlanResults, PlanStep, StepContext } from '../../engine';
import { cutsTogether, refuseProblems } from '../../plan-request';
import { lastWriteOf } from './facts';
import { locks, requestProblems } from './layout';
import { ServerLock } from './server-lock';
import type { MongoSession } from './session';
import { planShard } from './sharded/plan';

/** Plans a request on a session. Throws what speaks against the request in itself. */
export function planBackup(session: MongoSession, request: PlanRequest): Plan {
  refuseProblems(requestProblems(request));
  const plan = new MongoPlan(session, request);
  return session.part === undefined ? plan : planShard(plan, session.part, plan.lock);
}

/** A server acknowledges a write of `w: 1` before its journal has it: up to 100 ms before. [doc: journaling] */
const NOT_LOCKED =
  'the server was not locked: writes that were acknowledged before they were in the journal (write concern w: 1 without j) may be missing from the copy, as after a crash';

class MongoPlan implements Plan {
  readonly layout: string;
  readonly freezes: Plan['freezes'];
  readonly statement: string;
  readonly steps: readonly PlanStep[];
  readonly held: readonly Held[];
  readonly lock: ServerLock;
  readonly #locks: boolean;
  #position: Readonly<Record<string, string>> = {};
  #confirmed = false;

  constructor(
    private readonly session: MongoSession,
    request: PlanRequest,
  ) {
    const together = cutsTogether(request);
    this.#locks = locks(request);
    this.lock = new ServerLock(session, request.id);
    this.layout = together ? 'group' : request.volumes.length > 1 ? 'locked' : 'atomic';
    this.freezes = this.#locks ? 'writes' : 'nothing';
    this.statement = this.#locks
      ? 'the server was locked against writes from before the position was read until after the last cut, and what had been written was on disk before the first'
      : 'all volumes were cut at one instant, while one session saw the same server before and after; crash recovery completes the copy';
    this.held = this.#locks ? [this.lock.held] : [];
    this.steps = [
      ...(this.#locks
        ? [this.#prepareStep(), this.#lockStep(), this.#positionStep()]
        : [this.#positionStep(), this.#flushStep()]),
      { kind: 'cut', volumes: request.volumes.map(({ name }) => name), how: together ? 'together' : 'individually' },
    ];
  }

  readonly observe = async (within: StepContext): Promise<Readonly<Record<string, string>>> => {
    await this.#confirmUnlocked(within);
    return await this.session.observe(within, this.#locks);
  };

  readonly thaw = (within: StepContext): Promise<void> => this.lock.release(within);

  readonly results = (): PlanResults => {
    const { behindSeconds } = this.session;
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

  /** Before any of several servers is locked: what may have to be waited for keeps none of the others locked. */
  #prepareStep(): PlanStep {
    return { kind: 'act', name: 'prepare the lock', run: (within) => this.lock.prepare(within) };
  }

  #lockStep(): PlanStep {
    return { kind: 'act', name: 'lock', freezes: true, run: (within) => this.lock.take(within) };
  }

  #positionStep(): PlanStep {
    return {
      kind: 'act',
      name: 'read the position',
      run: async ({ signal }) => {
        const hello = await this.session.hello(signal);
        this.session.refuseElected(hello);
        const found = lastWriteOf(hello);
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

  /** Without a lock a backup waits for its turn right before the first cut: the first look of the proof comes after that. */
  async #confirmUnlocked({ signal }: StepContext): Promise<void> {
    if (this.#locks || this.#confirmed) return;
    await this.session.confirmMember(signal);
    this.#confirmed = true;
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
