/** Requests that are tried again while the store may yet answer: with back-off, jitter and an end. */
import { orAborted, timeLimit } from '../abort';
import { StillpointError } from '../errors';
import type { Clock } from '../ports';

/** What a store is given by whoever opens it. */
export interface StoreContext {
  readonly clock: Clock;
  /** At least 0 and less than 1. */
  readonly random: () => number;
  /** How long one request is tried again. */
  readonly patienceMs: number;
  /** Where the identity of the workload is told. */
  readonly environment: Environment;
}

/** The variables of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** A request that moves fewer bytes a millisecond than this hangs. */
const SLOWEST_BYTES_PER_MS = 64;
const LEAST_LIMIT_MS = 60_000;

/** How long to wait before the next try: doubled each time, and somewhere in its upper half. Pure. */
export function pauseMs(tries: number, random: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries, 30));
  return longest / 2 + (longest / 2) * random;
}

/** One request: what it is called in messages, and how much it moves. */
export interface Attempted {
  readonly signal: AbortSignal;
  /** The bytes that it sends: a large one may take longer. */
  readonly bytes?: number | undefined;
}

/** Tries a request again. What it throws says whether that can help: {@link StillpointError.retryable}. */
export class Retrying {
  readonly #context: Omit<StoreContext, 'environment'>;

  constructor(context: Omit<StoreContext, 'environment'>) {
    this.#context = context;
  }

  /** `work` is told which try it is: after the first, an earlier one may have had its effect without an answer. */
  async run<T>({ signal, bytes = 0 }: Attempted, work: (signal: AbortSignal, tries: number) => Promise<T>): Promise<T> {
    const { clock, random, patienceMs } = this.#context;
    const began = clock.monotonic();
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted();
      try {
        return await this.#once(signal, bytes, (inner) => work(inner, tries));
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (!(error instanceof StillpointError) || !error.retryable) throw error;
        const elapsed = clock.monotonic() - began;
        if (elapsed >= patienceMs) {
          error.explain(`it was tried ${tries + 1} times in ${Math.round(elapsed / 1000)} s`);
          throw error;
        }
        await this.#pause(Math.min(pauseMs(tries, random()), patienceMs - elapsed), signal);
      }
    }
  }

  async #once<T>(outer: AbortSignal, bytes: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limitMs = LEAST_LIMIT_MS + bytes / SLOWEST_BYTES_PER_MS;
    using limit = timeLimit(this.#context.clock, limitMs, () => {
      return new StillpointError(
        'store-unreachable',
        `the store did not answer within ${Math.round(limitMs / 1000)} s`,
      );
    });
    try {
      return await work(AbortSignal.any([outer, limit.signal]));
    } catch (error) {
      // What a client throws at an aborted signal says nothing of why.
      if (limit.signal.aborted) throw limit.signal.reason;
      throw error;
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = this.#context.clock.after(ms, over.resolve);
    try {
      await orAborted(over.promise, signal);
    } finally {
      timer.cancel();
    }
  }

  /**
   * Takes back what an upload has left: quietly, for what failed before is what is told. What a store was still taking when
   * it was told to drop the upload comes back after that, as S3 says of its own
   * (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html): where parts were cut off on their way,
   * it is told again, twice.
   */
  async takeBack(
    { cutOff }: { readonly cutOff: boolean },
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    using limit = this.undoing();
    for (const pause of cutOff ? [0, ...LATE_MS] : [0]) {
      if (pause > 0) await this.#pause(pause, limit.signal).catch(() => undefined);
      if (limit.signal.aborted) return;
      await this.run(limit, work).catch(() => undefined);
    }
  }

  /** A signal for what has to be undone when the call's own has been aborted already. */
  undoing(): { readonly signal: AbortSignal } & Disposable {
    return timeLimit(this.#context.clock, UNDO_MS, () => {
      return new StillpointError('store-unreachable', `the store did not answer within ${UNDO_MS / 1000} s`);
    });
  }
}

/** How long after the last time an upload is dropped once more. */
const LATE_MS = [250, 1000];
/** Within the time that a pod has between SIGTERM and SIGKILL. */
const UNDO_MS = 20_000;
