/** A run that puts something into a store, with its record: what dumps, online backups and copies have in common. */
import type { BackupRecord } from '../../src/contract';
import { keysOf } from '../dump/keys';
import { recordText } from '../dump/record';
import { asStillpointError, type StillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import type { Events, Finding, StoredRecord } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { putYaml } from '../storage/texts';
import { failedInTheMiddle } from './backup-errors';
import { failDump, type StoredRunContext } from './dump-earlier';
import { say } from './say';

/** What it needs of the world. */
export interface StoredRunWorld extends StoredRunContext {
  readonly events: Events;
  readonly signal: AbortSignal;
}

export class StoredRun {
  readonly #world: StoredRunWorld;
  /** What an earlier attempt of the same Job has left in the store. */
  readonly #left: readonly string[];
  #stored: StoredRecord;

  constructor(
    world: StoredRunWorld,
    stored: StoredRecord,
    /** What people call it: Backup, or Copy. */
    private readonly noun: string,
  ) {
    this.#world = world;
    this.#stored = stored;
    this.#left = keysOf(stored.record);
  }

  get record(): BackupRecord {
    return this.#stored.record;
  }

  async update(record: BackupRecord): Promise<void> {
    this.#stored = await this.#world.registry.update(this.#stored, record);
  }

  /**
   * Does all of it, and returns the record as it is then. A failure is written down, and what was stored removed, before it
   * is thrown; exit code 3 says that nothing was begun.
   */
  async during(steps: () => Promise<void>): Promise<BackupRecord> {
    try {
      await steps();
      return this.record;
    } catch (thrown) {
      const error = asStillpointError(thrown);
      const begun = this.record.plannedObjects !== undefined;
      await this.#fail(error);
      throw begun ? failedInTheMiddle(error) : error;
    }
  }

  /** Tells of findings, and refuses to go on where one of those that `refuse` is an error. */
  weigh(told: readonly Finding[], refuse = told): void {
    for (const { severity, code, subject, message } of told) {
      if (severity !== 'ok') this.#world.log.warn({ code, subject }, message);
    }
    refuseOnErrors(refuse);
  }

  /** The copy before the record: what is listed as good has all that belongs to it. */
  async finish(store: ObjectStore, key: string, record: BackupRecord): Promise<void> {
    const { signal, log } = this.#world;
    // The folder is this Job's: what is there under this name is of an earlier attempt.
    await putYaml(store, key, recordText(record), { signal, replace: this.#left.includes(key) });
    await this.update(record);
    log.info({ step: 'finish', id: record.id }, `${this.noun.toLowerCase()} succeeded`);
  }

  async #fail(error: StillpointError): Promise<void> {
    const { log, run } = this.#world;
    try {
      this.#stored = await failDump(this.#world, this.#stored, error);
    } catch (thrown) {
      log.error({ code: asStillpointError(thrown).code }, `the failure could not be recorded: ${String(thrown)}`);
    }
    const message = `${this.noun} ${run.id} failed: ${error.message} (${error.code})`;
    await say(this.#world, 'Warning', 'FailedSnapshot', message);
  }
}
