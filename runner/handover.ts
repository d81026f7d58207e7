/**
 * The last step of a removal where copies of records are kept. Whoever removes a backup at a terminal has no login for their store: so
 * its record is left as `deleting` to the pruner, which takes it away together with the copy. That a record is gone is no evidence
 * for anybody later (docs/decisions/0087-copies-of-records.md).
 */
import { timeLimit } from './abort';
import { asStillpointError, StillpointError } from './errors';
import type { Clock, Pruner, Registry, StoredRecord } from './ports';
import { mayHaveCopy } from './travel/stored-copies';

/** How long the pruner may take to come to one record: it may be writing copies of others. */
const COMES_WITHIN_MS = 120_000;

const NOBODY = `no prune has come within ${COMES_WITHIN_MS / 1000} s`;

export interface HandoverContext {
  readonly registry: Pick<Registry, 'follow' | 'get'>;
  readonly pruner: Pick<Pruner, 'ask'>;
  readonly clock: Clock;
}

/** Records that are left to the pruner, and what becomes of them. */
export class Handover {
  readonly #context: HandoverContext;
  readonly #taken: StoredRecord[] = [];

  constructor(context: HandoverContext) {
    this.#context = context;
  }

  /** Takes a record whose backup is gone; says no to one that has no copy. */
  take(stored: StoredRecord): boolean {
    if (!mayHaveCopy(stored.record)) return false;
    this.#taken.push(stored);
    return true;
  }

  /** Has the pruner come, and waits for it. Each record is told once, with why it is still there where it is. */
  async *outcome(): AsyncGenerator<{ readonly stored: StoredRecord; readonly stays: string | undefined }> {
    const taken = this.#taken.splice(0);
    // Where nobody comes for one, nobody is waited for again; what one lacks says nothing of another.
    let nobody = taken.length === 0 ? undefined : await this.#ask();
    for (const stored of taken) {
      if (nobody !== undefined) {
        yield { stored, stays: (await this.#isGone(stored)) ? undefined : nobody };
        continue;
      }
      const stays = await this.#stays(stored);
      if (stays === NOBODY) nobody = stays;
      yield { stored, stays };
    }
  }

  /** Why nobody comes. */
  async #ask(): Promise<string | undefined> {
    try {
      await this.#context.pruner.ask();
      return undefined;
    } catch (thrown) {
      return `the pruner cannot be asked: ${asStillpointError(thrown).message}`;
    }
  }

  async #stays({ record, version }: StoredRecord): Promise<string | undefined> {
    const { registry, clock } = this.#context;
    using limit = timeLimit(clock, COMES_WITHIN_MS, () => new StillpointError('wait-timeout', 'no prune has come'));
    for await (const now of registry.follow(record, limit.signal)) {
      if (now === undefined) return undefined;
      const { leftovers = [] } = now.record;
      if (now.version !== version && leftovers.length > 0) return `the pruner could not remove ${leftovers.join(', ')}`;
    }
    return NOBODY;
  }

  async #isGone({ record: { namespace, database, id } }: StoredRecord): Promise<boolean> {
    return (await this.#context.registry.get(namespace, database, id)) === undefined;
  }
}
