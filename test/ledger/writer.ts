/**
 * A ledger: numbered rows that are committed all the time, with the instants at which each was begun and acknowledged.
 * Whether a backup is worth something is then a plain question: is every row there that was acknowledged before the
 * first cut was asked for, and none that was begun after the last cut was seen?
 */
import { setTimeout as pause } from 'node:timers/promises';

/** One row that was written: instants of the writer's monotonic clock, in milliseconds. */
export interface LedgerRow {
  readonly number: number;
  readonly begun: number;
  /** Undefined: the commit was never acknowledged. */
  acknowledged?: number;
}

/** A connection to a database, by what a ledger does there: databases have no language in common. */
export interface LedgerClient {
  /** Makes an empty ledger where there is none. */
  prepare(): Promise<void>;
  /** Removes the ledger, if it is there. */
  forget(): Promise<void>;
  /** Commits one row, and answers when the database has acknowledged it. */
  add(number: number): Promise<void>;
  /** The numbers of all rows, in order. */
  numbers(): Promise<readonly number[]>;
  end(): Promise<unknown>;
}

/** Where and how fast to write. */
export interface LedgerOptions {
  /** Makes a connection; one is made for each writer. */
  readonly connect: () => Promise<LedgerClient>;
  /** How many connections write at once. @default 2 */
  readonly writers?: number;
  /** Milliseconds between two rows of one writer: to show a stall, a ledger need not keep a machine busy. @default 0 */
  readonly everyMs?: number;
  /** The clock of the instants: the same that the backup is timed with. */
  readonly now?: () => number;
}

/** Writes rows until it is stopped. */
export class LedgerWriter {
  readonly rows: LedgerRow[] = [];
  readonly #options: Required<LedgerOptions>;
  readonly #stopping = new AbortController();
  #writing: Promise<unknown> = Promise.resolve();
  #next = 1;
  #acknowledged = 0;
  #waiting: { readonly count: number; readonly reached: () => void }[] = [];

  private constructor(options: LedgerOptions) {
    this.#options = { writers: 2, everyMs: 0, now: () => performance.now(), ...options };
  }

  /** Makes the ledger, if need be, and begins to write. */
  static async start(options: LedgerOptions): Promise<LedgerWriter> {
    const ledger = new LedgerWriter(options);
    const client = await options.connect();
    await client.prepare();
    await client.end();
    ledger.#writing = Promise.all(Array.from({ length: ledger.#options.writers }, () => ledger.#write()));
    ledger.#writing.catch(() => undefined);
    return ledger;
  }

  /** How many commits were acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Answers when so many more commits were acknowledged. */
  async more(count: number): Promise<void> {
    const reached = Promise.withResolvers<void>();
    this.#waiting.push({ count: this.acknowledged + count, reached: reached.resolve });
    await Promise.race([
      reached.promise,
      this.#writing.then(() => Promise.reject(new Error('the writers have ended'))),
    ]);
  }

  /** Ends the writers, and throws what went wrong in them. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#writing;
  }

  /** The longest that one commit took: what a client saw of the backup. */
  longestStallMs(from = 0, to = Number.POSITIVE_INFINITY): number {
    const times = this.rows
      .filter(({ begun, acknowledged }) => (acknowledged ?? to) >= from && begun <= to)
      .map(({ begun, acknowledged }) => (acknowledged === undefined ? 0 : acknowledged - begun));
    return Math.max(0, ...times);
  }

  async #write(): Promise<void> {
    const client = await this.#options.connect();
    try {
      while (!this.#stopping.signal.aborted) {
        const row: LedgerRow = { number: this.#next++, begun: this.#options.now() };
        this.rows.push(row);
        await client.add(row.number);
        row.acknowledged = this.#options.now();
        this.#acknowledged++;
        this.#tell();
        if (this.#options.everyMs > 0) await pause(this.#options.everyMs);
      }
    } finally {
      await client.end();
    }
  }

  #tell(): void {
    const { acknowledged } = this;
    for (const { reached } of this.#waiting.filter(({ count }) => count <= acknowledged)) reached();
    this.#waiting = this.#waiting.filter(({ count }) => count > acknowledged);
  }
}

/** What a restored ledger lacks, and what it has too many: both must be empty. */
export interface LedgerVerdict {
  readonly present: number;
  /** Acknowledged before the first cut was asked for, and not there. */
  readonly lost: readonly number[];
  /** Begun after the last cut was seen, and there all the same. */
  readonly foreign: readonly number[];
}

/** Compares the rows of a restored database with what the writer knows. */
export function compareLedger(
  rows: readonly LedgerRow[],
  restored: readonly number[],
  cuts: { readonly firstAsked: number; readonly lastSeen: number },
): LedgerVerdict {
  const present = new Set(restored);
  const lost = rows.filter(
    ({ number, acknowledged }) => acknowledged !== undefined && acknowledged < cuts.firstAsked && !present.has(number),
  );
  const foreign = rows.filter(({ number, begun }) => begun > cuts.lastSeen && present.has(number));
  return {
    present: present.size,
    lost: lost.map(({ number }) => number),
    foreign: foreign.map(({ number }) => number),
  };
}
