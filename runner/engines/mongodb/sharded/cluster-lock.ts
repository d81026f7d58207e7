/**
 * The lock of a mongos on all servers of its cluster: from before it is asked for until it is known what became of it.
 *
 * A mongos asks the primary of each set, waits for one where there is none, and asks again where a connection broke: a lock
 * may come when nobody waits for it any more, and at a server that nobody has chosen. What was asked for is therefore
 * over only when the mongos has answered. Where it has failed, it has unlocked all of them itself.
 */
import { JOB_DEFAULTS } from '../../../../src/contract';
import { orAborted } from '../../../abort';
import { throwFailures } from '../../../all-failures';
import type { StepContext } from '../../../engine';
import { asStillpointError, StillpointError } from '../../../errors';
import { lockedBefore, type ServerLock } from '../server-lock';
import type { Router } from './router';
import { type ShardMap, shardMapText } from './shard-map';

/** How long the lock on all shards may take to come. */
const LOCK_MS = JOB_DEFAULTS.lockTimeoutSeconds * 1000;

/** How long its answer is waited for after that: what the thaw may take, and some to unlock in. */
const ANSWER_MS = 12_000;

type Within = Pick<StepContext, 'signal'>;

/** What a mongos has said. `unknown`: it cannot say it any more. */
type Answer =
  | { readonly kind: 'locked'; readonly counts: ReadonlyMap<string, number> }
  | { readonly kind: 'refused' | 'unknown'; readonly error: StillpointError };

export class ClusterLock {
  readonly #locks: ServerLock[] = [];
  /** Undefined when nothing was asked for that is not over. */
  #answer: Promise<Answer> | undefined;
  /** Whether exactly those servers were locked, once each, that are going to be cut. */
  #confirmed = false;
  #left: readonly string[] = [];

  constructor(
    private readonly router: Router,
    private readonly map: ShardMap,
  ) {}

  /** Makes the lock of a server known: a mongos locks all of them or none. */
  join(lock: ServerLock): void {
    this.#locks.push(lock);
  }

  /** Whether the connection to the mongos is kept busy by what was asked for. */
  get waits(): boolean {
    return this.#answer !== undefined && !this.#confirmed;
  }

  /** Servers that were still locked when this backup's lock was taken back: by somebody else. */
  get left(): readonly string[] {
    return this.#left;
  }

  /** Throws where they are not locked for certain; {@link release} then finds out what became of it. */
  async take({ signal }: Within): Promise<void> {
    const [first] = this.#locks;
    if (first === undefined)
      throw new StillpointError('internal', 'a cluster is to be locked, and none of its servers was made known');
    const [locked] = await this.#where((lock) => lock.isThere(signal));
    if (locked !== undefined) throw lockedBefore(locked.session.server.member);
    for (const lock of this.#locks) lock.asked = true;
    // Not with the signal: the connection would be cut, and the answer lost.
    this.#answer = this.#ask(first.comment);
    const answer = await waitFor(this.#answer, LOCK_MS, signal, tooLate);
    if (answer.kind !== 'locked') throw answer.error;
    const problem = await this.#problem(answer.counts, signal);
    if (problem !== undefined) throw problem;
    this.#confirmed = true;
  }

  /** Lets all servers go, and those that nobody has chosen. Throws as long as it is not known what the mongos has locked. */
  async release(within: Within): Promise<void> {
    const answer = this.#answer;
    if (answer === undefined) return;
    // At once, and not only when the mongos has answered: writers wait.
    const ways = [() => this.#releaseEach(within), ...(this.#confirmed ? [] : [() => this.#takeBack(answer, within)])];
    await inTurn(ways);
    this.#left = await this.#stillLocked(within);
    this.#answer = undefined;
  }

  async #ask(comment: string): Promise<Answer> {
    try {
      return { kind: 'locked', counts: await this.router.lock(comment) };
    } catch (thrown) {
      const error = asStillpointError(thrown);
      return { kind: error.code === 'session-lost' ? 'unknown' : 'refused', error };
    }
  }

  /** What speaks against the lock that the mongos has taken. */
  async #problem(counts: ReadonlyMap<string, number>, signal: AbortSignal): Promise<StillpointError | undefined> {
    const fresh = shardMapText(await this.router.map(signal));
    const known = shardMapText(this.map);
    if (fresh !== known) {
      return failed(`the cluster was ${known} when its servers were chosen, and is ${fresh}`, 'a shard came or went');
    }
    const untold = this.map.filter(({ setName }) => counts.get(setName) !== 1);
    if (untold.length > 0) {
      const told = untold.map(({ setName }) => `${setName} ${counts.get(setName) ?? 'an unknown number of'} times`);
      return failed(
        `the mongos has locked ${told.join(', ')}`,
        'somebody else has locked it too, or it was asked twice',
      );
    }
    const missing = await this.#where(async (lock) => !(await lock.isThere(signal).catch(() => false)));
    if (missing.length === 0) return undefined;
    const names = missing.map(({ session }) => session.server.member).join(', ');
    return failed(`the mongos has locked all primaries, and ${names} not`, 'another member is primary there now');
  }

  /** What was locked after all is unlocked by the mongos, which alone knows where; then at each that has got it twice. */
  async #takeBack(asked: Promise<Answer>, within: Within): Promise<void> {
    const answer = await waitFor(asked, ANSWER_MS, within.signal, () =>
      unknown('the mongos has not said yet whether it has locked the shards'),
    );
    if (answer.kind === 'unknown')
      throw unknown('the mongos has ended before it said whether it has locked', answer.error);
    // None of them was locked before.
    for (const lock of this.#locks) lock.asked = true;
    const router = answer.kind === 'locked' ? [() => this.router.unlock(within.signal)] : [];
    await inTurn([...router, () => this.#releaseEach(within)]);
  }

  /** Each of them is tried, also when another one fails. */
  async #releaseEach(within: Within): Promise<void> {
    throwFailures(await Promise.allSettled(this.#locks.map((lock) => lock.release(within))));
  }

  async #stillLocked({ signal }: Within): Promise<readonly string[]> {
    const found = await this.#where((lock) => lock.isThere(signal).catch(() => false));
    return found.map(({ session }) => session.server.member);
  }

  async #where(test: (lock: ServerLock) => Promise<boolean>): Promise<readonly ServerLock[]> {
    const answers = await Promise.all(this.#locks.map(test));
    return this.#locks.filter((_, index) => answers[index]);
  }
}

/** The answer, for which nothing is cut off: it may be asked for once more. */
async function waitFor(
  answer: Promise<Answer>,
  ms: number,
  signal: AbortSignal,
  late: () => StillpointError,
): Promise<Answer> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(late()), ms);
  try {
    return await orAborted(answer, AbortSignal.any([signal, limit.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** One after the other, also after a failure; throws what has failed. */
async function inTurn(works: readonly (() => Promise<void>)[]): Promise<void> {
  const outcomes: PromiseSettledResult<void>[] = [];
  for (const work of works) outcomes.push(...(await Promise.allSettled([work()])));
  throwFailures(outcomes);
}

function failed(message: string, why: string): StillpointError {
  return new StillpointError('freeze-failed', message, { hint: `${why}: the next backup finds the cluster as it is` });
}

function tooLate(): StillpointError {
  return new StillpointError('freeze-timeout', `the mongos has not locked all shards within ${LOCK_MS / 1000} s`, {
    hint: 'writes or transactions were in the way, or a shard has no primary: look at db.currentOp() and rs.status()',
  });
}

function unknown(message: string, cause?: unknown): StillpointError {
  return new StillpointError('thaw-failed', message, {
    hint: 'a server that it locks after this is unlocked by the guard, or by the next backup where it is one of those of this one; by hand: db.fsyncUnlock() at the mongos',
    cause,
  });
}
