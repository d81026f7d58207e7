/**
 * Transfers through several databases: each is written to the first, then to the second, then to the third, with its number.
 * So a copy of all of them is of one instant exactly when no database has a number that the one before it lacks, and those
 * that stop on the way are the ones that were on their way then.
 */

/** One database on the way: what it has of a transfer is its number. */
export interface Station {
  readonly name: string;
  connect(): Promise<StationClient>;
}

export interface StationClient {
  prepare(): Promise<void>;
  /** Commits the transfer's number, and answers when the database has acknowledged it. */
  add(number: number): Promise<void>;
  numbers(): Promise<readonly number[]>;
  end(): Promise<unknown>;
}

/** What the writer knows of a transfer at one station: instants in milliseconds. */
interface Step {
  readonly begun: number;
  acknowledged?: number;
}

/** One transfer, by its stations. */
export interface Transfer {
  readonly number: number;
  readonly steps: readonly Step[];
}

/** Moves amounts until it is stopped. */
export class TransferWriter {
  readonly transfers: { number: number; steps: Step[] }[] = [];
  readonly #stations: readonly Station[];
  readonly #stopping = new AbortController();
  #writing: Promise<unknown> = Promise.resolve();
  #next = 1;
  #done = 0;
  #waiting: { readonly count: number; readonly reached: () => void }[] = [];

  private constructor(stations: readonly Station[]) {
    this.#stations = stations;
  }

  /** Empties the stations, and begins with so many transfers at a time. */
  static async start(stations: readonly Station[], writers = 4): Promise<TransferWriter> {
    const writer = new TransferWriter(stations);
    for (const station of stations) {
      const client = await station.connect();
      await client.prepare();
      await client.end();
    }
    writer.#writing = Promise.all(Array.from({ length: writers }, () => writer.#write()));
    writer.#writing.catch(() => undefined);
    return writer;
  }

  /** Answers when so many more transfers have arrived. */
  async more(count: number): Promise<void> {
    const reached = Promise.withResolvers<void>();
    this.#waiting.push({ count: this.#done + count, reached: reached.resolve });
    const ended = this.#writing.then(() => Promise.reject(new Error('the writers have ended')));
    await Promise.race([reached.promise, ended]);
  }

  /** Ends the writers, and throws what went wrong in them. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#writing;
  }

  /** The longest that one step took. */
  longestStallMs(from: number): number {
    const steps = this.transfers.flatMap((transfer) => transfer.steps);
    const times = steps.filter(({ begun, acknowledged = begun }) => acknowledged >= from);
    return Math.max(0, ...times.map(({ begun, acknowledged = begun }) => acknowledged - begun));
  }

  async #write(): Promise<void> {
    const clients = await Promise.all(this.#stations.map((station) => station.connect()));
    try {
      while (!this.#stopping.signal.aborted) {
        const transfer = { number: this.#next++, steps: [] as Step[] };
        this.transfers.push(transfer);
        for (const client of clients) {
          const step: Step = { begun: Date.now() };
          transfer.steps.push(step);
          await client.add(transfer.number);
          step.acknowledged = Date.now();
        }
        this.#done++;
        for (const { reached } of this.#waiting.filter(({ count }) => count <= this.#done)) reached();
        this.#waiting = this.#waiting.filter(({ count }) => count > this.#done);
      }
    } finally {
      await Promise.all(clients.map((client) => client.end()));
    }
  }
}

/** What is wrong between two stations of restored copies: all of it must be empty. */
export interface TransferVerdict {
  /** There, and not at the station before. */
  readonly withoutDebit: readonly number[];
  /** Not arrived, although the ledger says that it had before the first cut was asked for. */
  readonly lost: readonly number[];
  /** Not arrived, and by the ledger not on its way. */
  readonly notOnItsWay: readonly number[];
  /** On its way all the time by the ledger, and yet not stopped there. */
  readonly missed: readonly number[];
  /** How many have stopped on the way. */
  readonly inFlight: number;
}

/**
 * Compares two stations that follow each other. What was sent and not acknowledged when the cuts began may be in a copy or
 * not: the ledger leaves these open, and nothing else.
 */
export function compareStations(
  transfers: readonly Transfer[],
  [at, before, after]: readonly [station: number, before: readonly number[], after: readonly number[]],
  cuts: { readonly firstAsked: number; readonly lastSeen: number },
): TransferVerdict {
  const [debits, credits] = [new Set(before), new Set(after)];
  const stopped = new Set(before.filter((number) => !credits.has(number)));
  const of = (step: Step | undefined) => ({
    surely: (step?.acknowledged ?? Number.POSITIVE_INFINITY) < cuts.firstAsked,
    maybe: (step?.begun ?? Number.POSITIVE_INFINITY) <= cuts.lastSeen,
  });
  const known = transfers.map(({ number, steps }) => ({ number, debit: of(steps[at]), credit: of(steps[at + 1]) }));
  const numbers = (which: (each: (typeof known)[number]) => boolean): number[] =>
    known.filter(which).map(({ number }) => number);
  return {
    withoutDebit: after.filter((number) => !debits.has(number)),
    lost: numbers(({ number, credit }) => credit.surely && !credits.has(number)),
    notOnItsWay: numbers(({ number, debit, credit }) => stopped.has(number) && !(debit.maybe && !credit.surely)),
    missed: numbers(({ number, debit, credit }) => debit.surely && !credit.maybe && !stopped.has(number)),
    inFlight: stopped.size,
  };
}
