import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 200;

/** Options of {@link eventually}. */
export interface Patience {
  /** How long to go on, in seconds. The test machines have two cores: be patient. */
  readonly seconds?: number;
}

/**
 * Asks again and again until there is an answer, and returns it. Throws what was waited for when the time is over, with
 * the last error. An answer of `undefined` or `false` is none.
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  { seconds = 60 }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  let last: unknown;
  do {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error;
    }
    await pause(POLL_MS);
  } while (performance.now() < deadline);
  throw new Error(`${what}: not within ${seconds} s`, { cause: last });
}

/** Thrown in {@link eventually}'s question when no waiting can help. */
export class Hopeless extends Error {}
