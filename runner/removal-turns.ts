/**
 * Removals take turns at the snapshot controller, with each other and with backups (docs/decisions/0089): a snapshot that goes
 * costs it requests as one that is made does, and whoever is frozen meanwhile would wait for them.
 */
import { orAborted, timeLimit } from './abort';
import { asStillpointError, StillpointError } from './errors';
import type { Clock, Log, Remover, Slot, Slots, StoredRecord } from './ports';
import { restMs } from './slot';

/** A turn is over by then, even though the storage has not removed all of it: what hangs asks nothing of the controller. */
const TURN_LIMIT_MS = 10_000;

export interface RemoverInTurnsOptions {
  /** Throws controller-busy when no turn comes in time. */
  readonly slots: Slots;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the waiting for a turn. */
  readonly signal: AbortSignal;
}

/** Removes one backup a turn. Where no turn is to be had in time, or nobody gives any, it removes without. */
export class RemoverInTurns implements Remover {
  readonly #inner: Remover;
  readonly #options: RemoverInTurnsOptions;
  /** Of this process too one at a time: a slot is its holder's, however often that asks. */
  #before: Promise<void> = Promise.resolve();
  #without = false;

  constructor(inner: Remover, options: RemoverInTurnsOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  remove(stored: StoredRecord): Promise<readonly string[]> {
    return this.#inTurn(stored, () => this.#inner.remove(stored));
  }

  removeLeftovers(stored: StoredRecord): Promise<readonly string[]> {
    return this.#inTurn(stored, () => this.#inner.removeLeftovers(stored));
  }

  async #inTurn<T>({ record }: StoredRecord, work: () => Promise<T>): Promise<T> {
    const before = this.#before;
    const over = Promise.withResolvers<void>();
    this.#before = over.promise;
    try {
      await before;
      const slot = await this.#take();
      if (slot === undefined) return await work();
      const began = this.#options.clock.monotonic();
      const working = work();
      const rested = this.#afterTurn(slot, working, began + restMs(Math.max(1, record.cuts.length)));
      // The next one's turn may come while this one still waits for its storage, and not before the slot is given back.
      void rested.then(over.resolve);
      try {
        return await working;
      } finally {
        await rested;
      }
    } finally {
      over.resolve();
    }
  }

  async #take(): Promise<Slot | undefined> {
    const { slots, log, signal } = this.#options;
    if (this.#without) return undefined;
    try {
      const slot = await slots.take(signal);
      this.#without = slot === undefined;
      return slot;
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      if (code !== 'controller-busy') throw thrown;
      // Storage that fills up is the greater harm.
      log.warn({ code }, `removing without a turn at the snapshot controller: ${message}`);
      this.#without = true;
      return undefined;
    }
  }

  /** Gives the slot back when the controller is done with this removal, and has rested. Never rejects. */
  async #afterTurn(slot: Slot, working: Promise<unknown>, restedAt: number): Promise<void> {
    const { clock, log } = this.#options;
    using limit = timeLimit(clock, TURN_LIMIT_MS, () => new StillpointError('internal', 'the turn is over'));
    await orAborted(working, limit.signal).catch(() => undefined);
    try {
      await slot.release(Math.max(0, restedAt - clock.monotonic()));
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      log.warn({ code }, `a slot at the snapshot controller was not given back, and will be taken over: ${message}`);
    }
  }
}
