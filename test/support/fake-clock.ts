import type { Clock } from '../../runner/ports';

/** A clock that stands until it is told to go on. */
export class FakeClock implements Clock {
  #ms = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  now(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#ms);
  }

  monotonic(): number {
    return this.#ms;
  }

  after(ms: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.#ms + ms, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Lets time pass and calls back whoever waited for that. */
  advance(ms: number): void {
    this.#ms += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.at - b.at)) {
      if (timer.at > this.#ms) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
  }

  /** How many timers are still armed: none may be left when the work is done. */
  get armed(): number {
    return this.#timers.size;
  }
}
