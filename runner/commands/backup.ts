/** Takes one backup: the flow of the product, step by step. */
import { type BackupRecord, type HeldUndone, JOB_DEFAULTS, leaseName } from '../../src/contract';
import { timeLimit } from '../abort';
import { changedFacts } from '../changed-facts';
import type { Plan } from '../engine';
import { asStillpointError, type StillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import { type FrozenOutcome, runFrozen } from '../frozen';
import { hostOf, lostOf } from '../member';
import { factsOf } from '../merge-plans';
import { plannedSnapshots } from '../planned-snapshots';
import type { ArmedGuard, StoredRecord } from '../ports';
import { type Preflight, preflight } from '../preflight';
import { cutRecord, failedRecord, freezingRecord, succeededRecord, undoneRecord } from '../record';
import { BackupTurn } from '../slot';
import { marksOf } from '../snapshot-marks';
import { coverageFindings, movedFrom, traceServer } from '../trace';
import { type BackupContext, budgetMs } from './backup-context';
import { changed, failedInTheMiddle, freezeLeft, notReady } from './backup-errors';
import { claim } from './claim';
import { cutRequestOf, stampOf } from './cut-request';
import { keepResource } from './keep-resource';
import { openRecord } from './open-record';
import { askPruner, say } from './say';
import { sweep } from './sweep';
import { underLease } from './under-lease';
import { isNotUndone, type NotUndone, undoHeld } from './undo-held';

export type { BackupContext } from './backup-context';

/** Takes a backup, or finishes the one that an earlier pod of the same Job began. Returns its record. */
export async function backup(context: BackupContext): Promise<BackupRecord> {
  const { config, run, log } = context;
  return await underLease(
    context,
    leaseName(config.spec.database),
    async (held) => {
      // Before anything else: whoever writes to the database may be waiting for it.
      const left = await undoHeld(held, 'later-run');
      const opened = await openRecord(held);
      if (opened.record.phase === 'succeeded') {
        log.info({ id: run.id }, 'this backup has succeeded already');
        return opened.record;
      }
      await sweep(held, context.namespace, config.spec.database);
      return await new Backup(held, opened).run(left.find(isNotUndone));
    },
    () => askPruner(context),
  );
}

class Backup {
  readonly #context: BackupContext;
  #stored: StoredRecord;
  /** What was cut and proven here, whether or not that could be written down. */
  #cut: BackupRecord | undefined;
  readonly #turn: BackupTurn;
  /** Waits until what was stopped serves again. */
  #back: Plan['back'];
  #stamp = '';
  #heldUndone: HeldUndone | undefined;
  /** Whether anything may have been frozen, or asked for. */
  #touched = false;

  constructor(context: BackupContext, stored: StoredRecord) {
    this.#context = context;
    this.#stored = stored;
    this.#turn = new BackupTurn(context.slots, context.log);
  }

  /** An earlier freeze that could not be undone stops it: what it changed would be taken for what was there before. */
  async run(left: NotUndone | undefined): Promise<BackupRecord> {
    const { run } = this.#context;
    try {
      await say(this.#context, 'Normal', 'Starting', `Backup ${run.id} running`);
      if (left !== undefined) throw freezeLeft(left);
      if (this.#stored.record.phase !== 'cut') await this.#takeStep();
      await this.#readyStep();
      const { record } = this.#stored;
      await say(this.#context, 'Normal', 'SuccessfulSnapshot', `Successfully completed snapshot ${run.id}`);
      return record;
    } catch (thrown) {
      const error = asStillpointError(thrown);
      const begun = this.#touched || this.#stored.record.phase === 'cut';
      await this.#failStep(error);
      throw begun ? failedInTheMiddle(error) : error;
    } finally {
      await this.#turn.over();
    }
  }

  /** Steps 1 to 7: checks, record, freeze, cuts, proof, thaw, and the server looked at once more. */
  async #takeStep(): Promise<void> {
    const resource = await keepResource(this.#context, this.#stored);
    const record = resource === undefined ? this.#stored.record : { ...this.#stored.record, resource };
    const { found, plan } = await claim(this.#context, record, {
      check: () => this.#checkStep(),
      announce: (checked, planned) => this.#announceStep(record, checked, planned),
      withdraw: () => this.#update(record),
    });
    try {
      const guard = await this.#guardStep(plan);
      const outcome = await this.#freezeStep(found, plan, guard).finally(() => {
        this.#turn.end(this.#stored.record.plannedSnapshots?.length ?? 0);
      });
      await this.#recheckStep(found, outcome);
      await this.#cutStep(found, outcome);
      this.#back = plan.back;
    } finally {
      await found[Symbol.asyncDispose]();
    }
  }

  async #checkStep(): Promise<Preflight> {
    const { log, run } = this.#context;
    log.info({ step: 'check' }, 'step begins');
    const found = await preflight(this.#context, run.id);
    for (const { severity, code, subject, message } of found.findings) {
      if (severity !== 'ok') log.warn({ code, subject }, message);
    }
    for (const { name, session, place } of found.members) {
      const member = name === '' ? {} : { member: name };
      log.info({ step: 'check', ...member, server: session.server.version, place: place.name }, 'step done');
    }
    return found;
  }

  /** The names of what is going to be made are on record before any of it is: a later run knows what to undo. */
  async #announceStep(record: BackupRecord, found: Preflight, plan: Plan): Promise<void> {
    const { store, run, config } = this.#context;
    this.#stamp = await stampOf(this.#context);
    const { database } = config.spec;
    const names = plannedSnapshots(plan, store, found.volumes, { id: run.id, database, stamp: this.#stamp });
    await this.#update(freezingRecord(record, found, plan, names));
  }

  /** Somebody else is connected and ready to undo what outlives this session, before there is anything of it (safety rule 8). */
  async #guardStep({ held = [] }: Plan): Promise<ArmedGuard | undefined> {
    const { guards, run, config, log, signal } = this.#context;
    if (held.length === 0 || guards === undefined) return undefined;
    log.info({ step: 'guard' }, 'step begins');
    const { jobUid, pod } = run.owner;
    const guard = await guards.arm({ id: run.id, jobUid, pod, held, budgetMs: budgetMs(config) }, signal);
    log.info({ step: 'guard' }, 'step done');
    return guard;
  }

  /** Nothing is held any more, by the runner's own doing or by the guard's. */
  async #thawed(plan: Plan, guard: ArmedGuard | undefined): Promise<void> {
    const { held = [] } = plan;
    if (held.length === 0) return;
    const { report } = guard ?? {};
    this.#heldUndone = {
      at: report?.at ?? this.#context.clock.now().toISOString(),
      by: report === undefined ? 'runner' : 'guard',
      done: report?.done ?? held.map(({ member }) => `${member} was thawed`),
    };
    await guard?.release();
  }

  async #freezeStep(found: Preflight, plan: Plan, guard: ArmedGuard | undefined): Promise<FrozenOutcome> {
    const { run, config, store, clock, log, signal } = this.#context;
    const lost = found.members.map(lostOf);
    this.#touched = true;
    return await runFrozen(plan, {
      store,
      volumes: found.volumes,
      jobUid: run.owner.jobUid,
      pod: run.owner.pod,
      budgetMs: budgetMs(config),
      beforeFreeze: (stopped) => this.#turn.begin(stopped),
      waitMs: (config.spec.deadlineSeconds ?? JOB_DEFAULTS.readyTimeoutSeconds) * 1000,
      clock,
      log,
      signal: AbortSignal.any([signal, ...lost, ...(guard === undefined ? [] : [guard.lost])]),
      onHold: () => guard?.begin() ?? Promise.resolve(),
      onThawed: () => this.#thawed(plan, guard),
      request: cutRequestOf(this.#context, found, plan, this.#stamp),
    });
  }

  /** Safety rule 3, once more after the last cut: the same server, in the same place, on the same claims. */
  async #recheckStep(found: Preflight, outcome: FrozenOutcome): Promise<void> {
    try {
      await this.#recheck(found, outcome);
    } catch (thrown) {
      const error = asStillpointError(thrown);
      const { store, run } = this.#context;
      const names = this.#stored.record.plannedSnapshots ?? [];
      const { jobUid, pod } = run.owner;
      error.leftovers = await store.discard({ id: run.id, jobUid, pod, names });
      throw error;
    }
  }

  async #cutStep(found: Preflight, outcome: FrozenOutcome): Promise<void> {
    this.#cut = this.#undone(cutRecord(this.#stored.record, outcome, found));
    await this.#update(this.#cut);
  }

  async #recheck({ members }: Preflight, outcome: FrozenOutcome): Promise<void> {
    const { platform, signal } = this.#context;
    for (const { name, session, place, volumes, source } of members) {
      // What was stopped answers nobody, and is another pod afterwards: that nobody held its claims was proven.
      if (!source.engine.capabilities.hasServer || source.config.offline !== undefined) continue;
      const now = await traceServer(platform, session, source.config);
      const moved = movedFrom(place, now);
      if (moved !== undefined) throw changed(moved);
      refuseOnErrors(await coverageFindings(session, now, volumes, source.config));
      const answering = await session.whoAnswers(signal);
      const { facts } = outcome.proof.after;
      const proven = name === '' ? facts : factsOf(name, facts);
      const expected = Object.fromEntries(Object.keys(answering).map((fact) => [fact, proven[fact] ?? 'unknown']));
      const differences = changedFacts(expected, answering);
      if (differences.length === 0) continue;
      throw changed(`host ${hostOf(source.config)} leads to another server now: ${differences.join(' and ')}`);
    }
  }

  async #readyStep(): Promise<void> {
    const { store, clock, config, signal, log } = this.#context;
    const { record } = this.#stored;
    const seconds = config.spec.readyTimeoutSeconds ?? JOB_DEFAULTS.readyTimeoutSeconds;
    using limit = timeLimit(clock, seconds * 1000, () => notReady(record, seconds));
    log.info({ step: 'ready' }, 'step begins');
    const either = AbortSignal.any([limit.signal, signal]);
    const [cuts, outage] = await Promise.all([store.ready(record.cuts, either), this.#backStep(either)]);
    await this.#markStep(cuts);
    await this.#update(succeededRecord({ ...record, ...outage }, cuts, clock.now()));
    log.info({ step: 'ready', id: record.id, freezeWindowMs: record.freezeWindowMs }, 'backup succeeded');
  }

  /** How long the database was away. That it does not come back is said, and makes the backup no worse. */
  async #backStep(signal: AbortSignal): Promise<Partial<Pick<BackupRecord, 'downtimeMs' | 'warnings'>>> {
    const { log } = this.#context;
    if (this.#back === undefined) return {};
    try {
      const { downtimeMs } = await this.#back(signal);
      log.info({ step: 'back', downtimeMs }, 'what was stopped serves again');
      return { downtimeMs };
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      log.warn({ code }, message);
      return { warnings: [...(this.#stored.record.warnings ?? []), message] };
    }
  }

  /** Snapshots tell what they are, for the day when the registry is gone: a backup does not fail for want of it. */
  async #markStep(cuts: BackupRecord['cuts']): Promise<void> {
    const { store, signal, log } = this.#context;
    const { record } = this.#stored;
    await Promise.all(
      cuts.map(async (cut) => {
        await store.mark?.(cut, marksOf(record, cut), signal).catch((thrown: unknown) => {
          const { code, message } = asStillpointError(thrown);
          log.warn(
            { code, snapshot: cut.snapshot },
            `snapshot ${cut.snapshot} does not say where the log stood: ${message}`,
          );
        });
      }),
    );
  }

  /**
   * Writes the failure down. A backup that is cut and proven and only was interrupted while waiting stays `cut`: the
   * Job's next pod finishes it.
   */
  async #failStep(error: StillpointError): Promise<void> {
    const { clock, log, run } = this.#context;
    if (this.#stored.record.phase === 'cut' && error.retryable && error.code !== 'cut-lost') {
      log.warn({ code: error.code }, `backup ${run.id} is cut, but not finished: ${error.message}`);
      return;
    }
    const record = this.#cut ?? this.#stored.record;
    // Nobody will finish it: all that was cut is left over.
    if (record.phase === 'cut') error.leftovers = record.plannedSnapshots ?? [];
    try {
      await this.#update(this.#undone(failedRecord(record, error, clock.now())));
    } catch (thrown) {
      log.error({ code: asStillpointError(thrown).code }, `the failure could not be recorded: ${String(thrown)}`);
    }
    await say(this.#context, 'Warning', 'FailedSnapshot', `Backup ${run.id} failed: ${error.message} (${error.code})`);
  }

  #undone(record: BackupRecord): BackupRecord {
    return this.#heldUndone === undefined ? record : undoneRecord(record, this.#heldUndone);
  }

  async #update(record: BackupRecord): Promise<void> {
    this.#stored = await this.#context.registry.update(this.#stored, record);
  }
}
