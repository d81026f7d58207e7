/** Takes one dump: the engine's own tool, through a pipe, into a store; step by step. */
import { type BackupRecord, dumpLeaseName } from '../../src/contract';
import { checkDump, type DumpCheckContext, type DumpChecked } from '../dump/checks';
import { readyFiles } from '../dump/files';
import { takeFolder } from '../dump/owner';
import { dumpedRecord, dumpingRecord, recordedObject } from '../dump/record';
import { asStillpointError, StillpointError } from '../errors';
import { dump } from '../pipe/dump';
import type { Events, Locks, Pruner, Registry, Run, StoredRecord } from '../ports';
import { openDump, sweepDumps } from './dump-earlier';
import { askPruner, say } from './say';
import { StoredRun } from './stored-run';
import { underLease } from './under-lease';

/** What a dump needs of the world. */
export interface DumpContext extends DumpCheckContext {
  readonly run: Run;
  readonly registry: Registry;
  readonly locks: Locks;
  readonly events: Events;
  /** Undefined where the policy keeps all, or nobody prunes. */
  readonly pruner?: Pruner | undefined;
  readonly runnerVersion: string;
}

/** Takes a dump. Returns its record; one that an earlier pod of the same Job has taken already is left as it is. */
export async function takeDump(context: DumpContext): Promise<BackupRecord> {
  const { config, run, log } = context;
  return await underLease(
    context,
    dumpLeaseName(config.spec.database),
    async (held) => {
      const opened = await openDump(held);
      if (opened.record.phase === 'succeeded') {
        log.info({ id: run.id }, 'this backup has succeeded already');
        return opened.record;
      }
      await sweepDumps(held);
      return await new Dump(held, opened).run();
    },
    () => askPruner(context),
  );
}

class Dump {
  readonly #context: DumpContext;
  readonly #stored: StoredRun;

  constructor(context: DumpContext, stored: StoredRecord) {
    this.#context = context;
    this.#stored = new StoredRun(context, stored, 'Backup');
  }

  async run(): Promise<BackupRecord> {
    const { run } = this.#context;
    return await this.#stored.during(async () => {
      await say(this.#context, 'Normal', 'Starting', `Backup ${run.id} running`);
      const checked = await this.#checkStep();
      await this.#announceStep(checked);
      await this.#ownStep(checked);
      await this.#readyStep(checked);
      const { store, keys } = checked;
      await this.#stored.finish(store, keys.record, await this.#dumpStep(checked));
      await say(this.#context, 'Normal', 'SuccessfulSnapshot', `Successfully completed snapshot ${run.id}`);
    });
  }

  async #checkStep(): Promise<DumpChecked> {
    const { log } = this.#context;
    log.info({ step: 'check' }, 'step begins');
    const checked = await checkDump(this.#context, this.#stored.record);
    this.#stored.weigh(checked.findings);
    const { server, tool, storeName } = checked.facts;
    log.info({ step: 'check', server: server.version, tool, store: storeName }, 'step done');
    return checked;
  }

  /** The names of what is going to be written are on record before any of it is: a later run knows what to remove. */
  async #announceStep({ facts, keys }: DumpChecked): Promise<void> {
    const { config, clock } = this.#context;
    const planned = { keys: Object.values(keys), now: clock.now() };
    await this.#stored.update(dumpingRecord(this.#stored.record, config, facts, planned));
  }

  /** From here on nobody else writes, or removes, what lies under this backup's names. */
  async #ownStep({ store, keys }: DumpChecked): Promise<void> {
    await takeFolder(store, keys.owner, this.#stored.record, this.#context.signal);
  }

  /** Of files: what a crash has left is completed, and what was cut while a server ran is shown to be of one instant. */
  async #readyStep({ tools, files: what }: DumpChecked): Promise<void> {
    if (what === undefined || tools.files === undefined) return;
    const check = this.#context.config.spec.dump.files?.check === true;
    const { position } = await readyFiles(tools.files, what, { facts: what.facts, check }, this.#context);
    await this.#stored.update({ ...this.#stored.record, position });
  }

  /** Nothing lies under the final name unless the tool has ended well and the store has confirmed every byte. */
  async #dumpStep({ tools, target, store, keys, facts, files }: DumpChecked): Promise<BackupRecord> {
    const { config, clock, log } = this.#context;
    const { only, databases, compression, position, recipients } = config.spec.dump;
    const last = await this.#lastStep();
    log.info({ step: 'dump', key: keys.dump }, 'step begins');
    const passed = await dump(
      tools.dump(target, {
        database: only,
        databases,
        position,
        flavour: facts.server.flavour,
        toolSays: facts.tool,
        directory: files?.directory,
      }),
      (content, signal) => store.put(keys.dump, content, { signal, expectedBytes: last?.bytes }),
      { ...this.#context, compression, recipients, expectedBytes: last?.plainBytes },
    );
    if (passed.stored.bytes !== passed.storedBytes) {
      throw new StillpointError(
        'checksum-mismatch',
        `${store.name} has ${passed.stored.bytes} bytes under ${keys.dump}, and ${passed.storedBytes} were sent`,
      );
    }
    const object = recordedObject(passed, passed.stored, config.spec.dump);
    log.info({ step: 'dump', location: object.location, bytes: object.bytes }, 'step done');
    return dumpedRecord(this.#stored.record, object, clock.now());
  }

  /** About as much as the last time will come: so parts are sized, and told what is left. */
  async #lastStep(): Promise<NonNullable<BackupRecord['objects']>[number] | undefined> {
    return await this.#lastObject().catch((thrown: unknown) => {
      const { code, message } = asStillpointError(thrown);
      this.#context.log.warn({ code }, `how much the last dump came to is not known: ${message}`);
      return undefined;
    });
  }

  async #lastObject(): Promise<NonNullable<BackupRecord['objects']>[number] | undefined> {
    const { registry, namespace, config } = this.#context;
    let newest: string | undefined;
    for await (const page of registry.summaries({ namespace, database: config.spec.database, phases: ['succeeded'] })) {
      for (const { id } of page) if (newest === undefined || id > newest) newest = id;
    }
    const found = newest === undefined ? undefined : await registry.get(namespace, config.spec.database, newest);
    return found?.record.objects?.[0];
  }
}
