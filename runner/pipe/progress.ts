/** How far a stream is: one line each ten seconds. */
import type { Clock, Log } from '../ports';

const EVERY_MS = 10_000;

export interface ProgressFields {
  readonly bytes: number;
  readonly bytesPerSecond: number;
  readonly percent?: number;
  readonly secondsLeft?: number;
}

/** What a line says. Percent and time left only where the whole is known, and never beyond it. Pure. */
export function progressFields(bytes: number, elapsedMs: number, expectedBytes: number | undefined): ProgressFields {
  const rate = elapsedMs > 0 ? bytes / (elapsedMs / 1000) : 0;
  const plain = { bytes, bytesPerSecond: Math.round(rate) };
  if (expectedBytes === undefined || expectedBytes <= 0 || bytes > expectedBytes) return plain;
  const percent = Math.floor((bytes / expectedBytes) * 100);
  return rate > 0
    ? { ...plain, percent, secondsLeft: Math.ceil((expectedBytes - bytes) / rate) }
    : { ...plain, percent };
}

/** Logs how far it is until disposed of. */
export function logProgress(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  what: string,
  bytes: () => number,
  expectedBytes?: number,
): Disposable {
  const start = clock.monotonic();
  const tick = (): void => {
    log.info(progressFields(bytes(), clock.monotonic() - start, expectedBytes), what);
    timer = clock.after(EVERY_MS, tick);
  };
  let timer = clock.after(EVERY_MS, tick);
  return { [Symbol.dispose]: () => timer.cancel() };
}
