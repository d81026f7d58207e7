/** Copies the files of one finished backup off the cluster, step by step. */
import { type BackupRecord, type CopyConfig, dumpLeaseName } from '../../src/contract';
import { type CopyCheckContext, type CopyChecked, checkCopy, planCopy, readerFindings } from '../copy/checks';
import type { CopyAnswer, CopyOrder } from '../copy/order';
import { folderOfPlace } from '../copy/places';
import { copiedRecord, copyingRecord } from '../copy/record';
import type { CopySite } from '../copy/site';
import { type CopySource, findCopySource } from '../copy/source';
import { takeFolder } from '../dump/owner';
import { asStillpointError, StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Clock, Events, Locks, Log, Platform, Pruner, Registry, Run, StoredRecord, Uses } from '../ports';
import type { RestorePlan } from '../restore/plan';
import { openDump, sweepDumps } from './dump-earlier';
import { askPruner, say } from './say';
import { StoredRun, type StoredRunWorld } from './stored-run';
import { underLease } from './under-lease';

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
  const { config, namespace, registry, run, log } = context;
  const { database, of } = config.spec;
  return await underLease(
    context,
    dumpLeaseName(database),
    async (held) => {
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
    },
    () => askPruner(context),
  );
}

type Source = Pick<CopySource, 'last'> & { readonly record: BackupRecord };

/** A copy's record lives as that of a dump does. */
const forRecords = (context: CopyContext): StoredRunWorld => ({
  ...context,
  engine: { name: context.config.spec.engine },
});

class Copy {
  readonly #context: CopyContext;
  readonly #source: Source;
  readonly #stored: StoredRun;

  constructor(context: CopyContext, source: Source, stored: StoredRecord) {
    this.#context = context;
    this.#source = source;
    this.#stored = new StoredRun(forRecords(context), stored, 'Copy');
  }

  async run(): Promise<BackupRecord> {
    const { run } = this.#context;
    const what = `Copy ${run.id} of backup ${recordPath(this.#source.record)}`;
    return await this.#stored.during(async () => {
      await say(this.#context, 'Normal', 'Starting', `${what} running`);
      const { plan, ...checked } = await this.#checkStep();
      await this.#announceStep(checked);
      await this.#ownStep(checked);
      const answer = await this.#filesStep(plan, checked);
      await this.#confirmStep(checked, answer);
      await this.#finishStep(checked, answer);
      await say(this.#context, 'Normal', 'SuccessfulSnapshot', `${what} completed`);
    });
  }

  async #checkStep(): Promise<CopyChecked & { readonly plan: RestorePlan }> {
    const { config, log } = this.#context;
    const { record } = this.#source;
    log.info({ step: 'check', of: recordPath(record) }, 'step begins');
    const checked = await checkCopy(this.#context, this.#stored.record);
    const findings = [...checked.findings, ...readerFindings(record, config)];
    this.#stored.weigh(findings);
    const plan = planCopy(record, config);
    log.info({ step: 'check', store: checked.store.name }, 'step done');
    return { ...checked, findings, plan };
  }

  /** The names of what is going to be written are on record before any of it is: a later run knows what to remove. */
  async #announceStep({ store, keys, findings }: CopyChecked): Promise<void> {
    const { config, clock } = this.#context;
    const warnings = findings.filter(({ severity }) => severity === 'warning').map(({ message }) => message);
    const planned = { storeName: store.name, keys: Object.values(keys), warnings, now: clock.now() };
    await this.#stored.update(copyingRecord(this.#stored.record, this.#source.record, config, planned));
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
    const { config } = this.#context;
    const { id, owner } = this.#stored.record;
    const [before] = this.#source.last?.objects ?? [];
    return {
      turn: `${id} ${owner.jobUid} ${owner.pod ?? ''}`,
      archive,
      manifest,
      volumes: plan.volumes.map((volume) => {
        const { name, mountPath, subPath } = volume;
        const folder = folderOfPlace(volume, config.spec.copy);
        return {
          ...{ name, mountPath },
          ...(folder === undefined ? {} : { folder }),
          ...(subPath === undefined ? {} : { subPath }),
        };
      }),
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

  async #finishStep({ store, keys }: CopyChecked, answer: CopyAnswer): Promise<void> {
    const { config, clock, log } = this.#context;
    for (const line of answer.skipped) log.warn({}, line);
    await this.#stored.finish(store, keys.record, copiedRecord(this.#stored.record, answer, config, clock.now()));
  }
}
