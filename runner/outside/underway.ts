/**
 * What a hook has begun and is not waited for any longer: a command in a pod goes on when its caller has gone, and what it
 * does then would hold with nobody to undo it. So it is kept in sight to its end.
 */
import { orAborted, timeLimit } from '../abort';
import { StillpointError } from '../errors';
import type { Clock } from '../ports';

export class Underway {
  readonly #life = new AbortController();
  readonly #all = new Set<Promise<unknown>>();

  /** Begins something that ends by itself, or when all of it is given up. */
  begin<T>(work: (life: AbortSignal) => Promise<T>): Promise<T> {
    const result = work(this.#life.signal);
    const end: Promise<unknown> = result.catch(() => undefined).finally(() => this.#all.delete(end));
    this.#all.add(end);
    return result;
  }

  /** Whether something has not ended. */
  get any(): boolean {
    return this.#all.size > 0;
  }

  /** Waits for the end of all of it; gives it up and throws thaw-failed when that does not come. */
  async ended(what: string, ms: number, clock: Clock): Promise<void> {
    using limit = timeLimit(
      clock,
      ms,
      () =>
        new StillpointError('thaw-failed', `${what} has not ended, and may hold when it does`, {
          hint: 'the guard tries it again, and so does the next run, or stillpoint heal at once',
        }),
    );
    try {
      await orAborted(Promise.all(this.#all), limit.signal);
    } catch (thrown) {
      this.#life.abort(thrown);
      throw thrown;
    }
  }
}
