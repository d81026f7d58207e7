import { StillpointError } from './errors';
import type { Clock } from './ports';

/** A signal that aborts after some time, and what stops its timer. */
export interface TimeLimit extends Disposable {
  readonly signal: AbortSignal;
  /** Milliseconds until it aborts; 0 when it has. */
  readonly remainingMs: () => number;
}

/** Aborts with the given error after so many milliseconds, unless disposed of before. */
export function timeLimit(clock: Clock, ms: number, reason: () => StillpointError): TimeLimit {
  const controller = new AbortController();
  const end = clock.monotonic() + ms;
  const timer = clock.after(ms, () => controller.abort(reason()));
  return {
    signal: controller.signal,
    remainingMs: () => Math.max(0, end - clock.monotonic()),
    [Symbol.dispose]: () => timer.cancel(),
  };
}

/**
 * The work's result, or the signal's reason as soon as that aborts: for work that may not listen to the signal itself.
 * The abandoned work's own outcome is swallowed.
 */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => undefined);
  }
}

/** Waits so long; rejects with the signal's reason as soon as that aborts. */
export function pauseFor(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    const stop = (): void => {
      timer.cancel();
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** A day at a time: what waits for a signal alone is nothing that keeps a process. */
const LONG_MS = 86_400_000;

/** Waits for a signal, and keeps the process for as long. */
export async function untilAborted(clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await pauseFor(clock, LONG_MS, signal).catch(() => undefined);
}
