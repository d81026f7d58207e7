/** Copies the files of one finished backup off the cluster, step by step. */
import { type BackupRecord, type CopyConfig, dumpLeaseName } from '../../src/contract';
import { type CopyCheckContext, type CopyChecked, checkCopy, planCopy, readerFindings } from '../copy/checks';
import type { CopyAnswer, CopyOrder } from '../copy/order';
import { copiedRecord, copyingRecord } from '../copy/record';
import { type CopySource, findCopySource } from '../copy/source';
import { keysOf } from '../dump/keys';
import { takeFolder } from '../dump/owner';
import { recordText } from '../dump/record';
import { asStillpointError, StillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import { recordPath } from '../output/records';
import type {
  Clock,
  CopySite,
  Events,
  Locks,
  Log,
  Platform,
  Pruner,
  Registry,
  Run,
  StoredRecord,
  Uses,
} from '../ports';
import type { RestorePlan } from '../restore/plan';
import { failedInTheMiddle } from './backup-errors';
import { failDump, openDump, sweepDumps } from './dump-earlier';
import { askPruner, say } from './say';

/** What a copy needs of the world. */
export interface CopyContext extends CopyCheckContext {
  readonly config: CopyConfig;
  readonly namespace: string;
  readonly run: Run;
  readonly registry: Registry;
  readonly uses: Pick<Uses, 'begin'>;
  readonly site: CopySite;
  readonly locks: Locks;
  readonly platform: Pick<Platform, 'checkAccess' | 'clusterUid'>;
  readonly events: Events;
  /** Undefined where the policy keeps all, or nobody prunes. */
  readonly pruner?: Pruner | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly runnerVersion: string;
}

/** Copies the newest good backup. Returns the copy's record; undefined when there is nothing that was not copied. */
export async function takeCopy(context: CopyContext): Promise<BackupRecord | undefined> {
  const { config, namespace, registry, run, locks, log } = context;
  const { database, of } = config.spec;
  const lease = await locks.acquire(dumpLeaseName(database), run.owner.jobUid);
  const held: CopyContext = { ...context, signal: AbortSignal.any([context.signal, lease.lost]) };
  try {
    // What an earlier run has left goes first: its worker may still be at work.
    await context.site.clear(held.signal);
    await sweepDumps(forRecords(held));
    const source = await findCopySource({ registry, namespace, of, copies: database });
    if (source.stored === undefined) {
      const why =
        source.newest === undefined ? 'there is no good backup yet' : `backup ${source.newest} was copied already`;
      log.info({ of }, `nothing is copied: ${why}`);
      return undefined;
    }
    await using use = await context.uses.begin(source.stored, `copy ${namespace}/${database}/${run.id}`);
    const used = { ...held, signal: AbortSignal.any([held.signal, use.lost]) };
    return await new Copy(used, { ...source, record: use.record }, await openDump(forRecords(used))).run();
  } finally {
    await lease
      .release()
      .catch((error: unknown) => log.warn({ error: asStillpointError(error).message }, 'lease kept'));
    await askPruner(context);
  }
}

type Source = Pick<CopySource, 'last'> & { readonly record: BackupRecord };

/** A copy's record lives as that of a dump does. */
const forRecords = (context: CopyContext): Parameters<typeof openDump>[0] => ({
  ...context,
  engine: { name: context.config.spec.engine },
});

class Copy {
  readonly #context: CopyContext;
  readonly #source: Source;
  /** What an earlier attempt of the same Job has left in the store. */
  readonly #left: readonly string[];
  #stored: StoredRecord;

  constructor(context: CopyContext, source: Source, stored: StoredRecord) {
    this.#context = context;
    this.#source = source;
    this.#stored = stored;
    this.#left = keysOf(stored.record);
  }

  async run(): Promise<BackupRecord> {
    const { run } = this.#context;
    const what = `Copy ${run.id} of backup ${recordPath(this.#source.record)}`;
    try {
      await say(this.#context, 'Normal', 'Starting', `${what} running`);
      const { plan, ...checked } = await this.#checkStep();
      await this.#announceStep(checked);
      await this.#ownStep(checked);
      const answer = await this.#filesStep(plan, checked);
      await this.#confirmStep(checked, answer);
      await this.#finishStep(checked, answer);
      await say(this.#context, 'Normal', 'SuccessfulSnapshot', `${what} completed`);
      return this.#stored.record;
    } catch (thrown) {
      const error = asStillpointError(thrown);
      const begun = this.#stored.record.plannedObjects !== undefined;
      await this.#failStep(error);
      throw begun ? failedInTheMiddle(error) : error;
    }
  }

  async #checkStep(): Promise<CopyChecked & { readonly plan: RestorePlan }> {
    const { config, log } = this.#context;
    const { record } = this.#source;
    log.info({ step: 'check', of: recordPath(record) }, 'step begins');
    const checked = await checkCopy(this.#context, this.#stored.record);
    const findings = [...checked.findings, ...readerFindings(record, config)];
    for (const { severity, code, subject, message } of findings) {
      if (severity !== 'ok') log.warn({ code, subject }, message);
    }
    refuseOnErrors(findings);
    const plan = planCopy(record, config);
    log.info({ step: 'check', store: checked.store.name }, 'step done');
    return { ...checked, findings, plan };
  }

  /** The names of what is going to be written are on record before any of it is: a later run knows what to remove. */
  async #announceStep({ store, keys, findings }: CopyChecked): Promise<void> {
    const { config, clock } = this.#context;
    const warnings = findings.filter(({ severity }) => severity === 'warning').map(({ message }) => message);
    const planned = { storeName: store.name, keys: Object.values(keys), warnings, now: clock.now() };
    await this.#update(copyingRecord(this.#stored.record, this.#source.record, config, planned));
  }

  /** From here on nobody else writes, or removes, what lies under this backup's names. */
  async #ownStep({ store, keys }: CopyChecked): Promise<void> {
    await takeFolder(store, keys.owner, this.#stored.record, this.#context.signal);
  }

  /** Claims and worker go in every case, before anything else is said of it. */
  async #filesStep(plan: RestorePlan, { keys }: CopyChecked): Promise<CopyAnswer> {
    const { site, signal, log } = this.#context;
    log.info({ step: 'files', volumes: plan.volumes.map(({ name }) => name) }, 'step begins');
    try {
      const answer = await site.run(plan, this.#order(plan, keys), signal);
      log.info({ step: 'files', location: answer.archive.stored.location }, 'step done');
      return answer;
    } finally {
      await this.#clear();
    }
  }

  #order(plan: RestorePlan, { archive, manifest }: CopyChecked['keys']): CopyOrder {
    const { id, owner } = this.#stored.record;
    const [before] = this.#source.last?.objects ?? [];
    return {
      turn: `${id} ${owner.jobUid} ${owner.pod ?? ''}`,
      archive,
      manifest,
      volumes: plan.volumes.map(({ name, mountPath, subPath }) => ({
        name,
        mountPath,
        ...(subPath === undefined ? {} : { subPath }),
      })),
      ...(before === undefined ? {} : { expected: { bytes: before.bytes, plainBytes: before.plainBytes } }),
    };
  }

  /** What is left is said, and removed by the next run: whether the copy is good does not hang on it. */
  async #clear(): Promise<void> {
    const { site, log } = this.#context;
    // Whoever is told to stop cleans up all the same.
    await site.clear(new AbortController().signal).catch((thrown: unknown) => {
      const { code, message } = asStillpointError(thrown);
      log.warn({ code }, `what was made for the copy is left to the next run: ${message}`);
    });
  }

  /** What the worker says is asked of the store itself. */
  async #confirmStep({ store }: CopyChecked, { archive, manifest }: CopyAnswer): Promise<void> {
    for (const { stored, storedBytes } of [archive, manifest]) {
      const found = await store.head(stored.key, { signal: this.#context.signal });
      if (found?.bytes === storedBytes) continue;
      throw new StillpointError(
        'checksum-mismatch',
        `${store.name} has ${found?.bytes ?? 'no'} bytes under ${stored.key}, and ${storedBytes} were sent`,
      );
    }
  }

  /** The copy before the record: what is listed as good has all that belongs to it. */
  async #finishStep({ store, keys }: CopyChecked, answer: CopyAnswer): Promise<void> {
    const { config, clock, signal, log } = this.#context;
    const record = copiedRecord(this.#stored.record, answer, config, clock.now());
    for (const line of answer.skipped) log.warn({}, line);
    const replace = this.#left.includes(keys.record);
    await store.put(keys.record, once(recordText(record)), { signal, replace, contentType: 'application/yaml' });
    await this.#update(record);
    log.info({ step: 'finish', id: record.id }, 'copy succeeded');
  }

  async #failStep(error: StillpointError): Promise<void> {
    const { log, run } = this.#context;
    try {
      this.#stored = await failDump(forRecords(this.#context), this.#stored, error);
    } catch (thrown) {
      log.error({ code: asStillpointError(thrown).code }, `the failure could not be recorded: ${String(thrown)}`);
    }
    await say(this.#context, 'Warning', 'FailedSnapshot', `Copy ${run.id} failed: ${error.message} (${error.code})`);
  }

  async #update(record: BackupRecord): Promise<void> {
    this.#stored = await this.#context.registry.update(this.#stored, record);
  }
}

async function* once(text: string): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(text);
}
