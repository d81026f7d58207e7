import type { EventReason, Events, Log } from '../ports';

/** Without a cluster there is nothing to hang Events on: they are log lines. */
export class LogEvents implements Events {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  async emit(type: 'Normal' | 'Warning', reason: EventReason, message: string): Promise<void> {
    if (type === 'Normal') this.#log.info({ reason }, message);
    else this.#log.warn({ reason }, message);
  }
}
