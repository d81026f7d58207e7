/** A backup's turn at the snapshot controller: from before the freeze until that has rested from it. */
import { SNAPSHOT_CONTROLLER } from '../src/contract';
import { asStillpointError } from './errors';
import type { Log, Slot, Slots } from './ports';

/** How long the controller takes to be rested after so many snapshots. */
export function restMs(snapshots: number): number {
  const { requestsPerSnapshot, requestsPerSecond } = SNAPSHOT_CONTROLLER;
  return Math.ceil((snapshots * requestsPerSnapshot * 1000) / requestsPerSecond);
}

export class BackupTurn {
  readonly #slots: Slots | undefined;
  readonly #log: Log;
  #slot: Slot | undefined;
  #resting: Promise<void> = Promise.resolve();

  constructor(slots: Slots | undefined, log: Log) {
    this.#slots = slots;
    this.#log = log;
  }

  /** Waits, with nothing frozen, until it is this backup's turn. Throws controller-busy when it does not come. */
  async begin(signal: AbortSignal): Promise<void> {
    this.#slot ??= await this.#slots?.take(signal);
  }

  /** The snapshots were cut, or are given up: the next one's turn comes when the controller has rested. Does not wait. */
  end(snapshots: number): void {
    const slot = this.#slot;
    this.#slot = undefined;
    if (slot === undefined) return;
    this.#resting = slot.release(restMs(snapshots)).catch((thrown: unknown) => {
      const { code, message } = asStillpointError(thrown);
      this.#log.warn(
        { code },
        `a slot at the snapshot controller was not given back, and will be taken over: ${message}`,
      );
    });
  }

  /** Answers when the turn is over. */
  over(): Promise<void> {
    return this.#resting;
  }
}
