/**
 * The executor of plans: the only place where a database is frozen and thawed.
 *
 * Whatever the plan, these hold: snapshots are asked for after the freeze is confirmed (safety rule 5), every cut is
 * seen and the freeze is proven on the same session before the thaw (5, 6), the budget ends it (7), and after any
 * failure the database is let go first, then the snapshots are removed, then the failure is told (7, 8).
 */
import type { Cut, Observation, Proof } from '../src/contract';
import { orAborted, timeLimit } from './abort';
import { changedFacts } from './changed-facts';
import type { Plan, PlanResults, PlanStep, StepContext } from './engine';
import { asStillpointError, StillpointError } from './errors';
import { plannedSnapshots } from './planned-snapshots';
import type { Clock, CutRequest, Log, SnapshotStore, Volume } from './ports';

/** How long pre-freeze steps (a checkpoint, waiting for a lock) may take when the engine sets no limit of its own. */
const FREEZE_LIMIT_MS = 300_000;

/** How long the thaw may take before it counts as failed. */
export const THAW_LIMIT_MS = 15_000;

/** What the executor needs besides the plan. */
export interface FrozenContext {
  readonly store: SnapshotStore;
  readonly volumes: readonly Volume[];
  readonly request: Omit<CutRequest, 'volumes' | 'how'>;
  readonly jobUid: string;
  /** The Job's pod that this is; undefined where there is none. */
  readonly pod?: string | undefined;
  readonly budgetMs: number;
  /** Waited for once, right before the first step that may hold anything up: a wait here keeps nobody waiting. */
  readonly beforeFreeze?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** The longest that {@link beforeFreeze} may take: a session that is told how long to live has to outlive that. */
  readonly waitMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends everything: SIGTERM, a lost Lease, a lost session, a lost guard. */
  readonly signal: AbortSignal;
  /** Called right before the first step that holds from its start; whoever watches cannot see it begin. */
  readonly onHold?: (() => Promise<void>) | undefined;
  /** Called as soon as the thaw has worked, also after a failure. Must not throw. */
  readonly onThawed?: (() => Promise<void>) | undefined;
}

/** What came of a plan whose every cut was seen and proven. */
export interface FrozenOutcome {
  readonly cuts: readonly Cut[];
  readonly proof: Proof;
  readonly frozenAt: Date;
  readonly firstAskedAt: Date;
  readonly lastCutSeenAt: Date;
  readonly thawedAt: Date;
  /** From the freeze taking hold (or, where nothing is frozen, the first request) to the thaw having worked. */
  readonly windowMs: number;
  readonly results: PlanResults;
}

/** Runs a plan. Throws what went wrong after the database was let go and the snapshots were removed. */
export async function runFrozen(plan: Plan, context: FrozenContext): Promise<FrozenOutcome> {
  const run = new FrozenRun(plan, context);
  try {
    await run.steps();
    await run.thaw();
    return run.outcome();
  } catch (thrown) {
    const error = asStillpointError(thrown);
    await run.thawAfter(error);
    await run.discardAfter(error);
    throw error;
  } finally {
    run.end();
  }
}

class FrozenRun {
  readonly #plan: Plan;
  readonly #context: FrozenContext;
  readonly #cuts: Cut[] = [];
  #window: Window | undefined;
  #turned = false;
  #told = false;
  #prepared: Disposable | undefined;
  #before: Observation | undefined;
  #proof: Proof | undefined;
  #firstAskedAt: Date | undefined;
  #lastCutSeenAt: Date | undefined;
  #thawedAt: Date | undefined;
  #windowMs = 0;

  constructor(plan: Plan, context: FrozenContext) {
    this.#plan = plan;
    this.#context = context;
  }

  /** Every step in the plan's order, then the proof. */
  async steps(): Promise<void> {
    for (const step of this.#plan.steps) await this.#step(step);
    await this.#prove();
  }

  async #step(step: PlanStep): Promise<void> {
    const { clock, log } = this.#context;
    const started = clock.monotonic();
    log.info({ step: stepName(step) }, 'step begins');
    if (!this.#turned && this.#mayHold(step)) {
      this.#turned = true;
      await this.#context.beforeFreeze?.(this.#context.signal);
      await this.#prepare();
    }
    if (step.kind === 'act') await this.#act(step);
    else await this.#cut(step);
    log.info({ step: stepName(step), ms: Math.round(clock.monotonic() - started) }, 'step done');
  }

  /** The last thing before the freeze: what is prepared must not grow old. */
  async #prepare(): Promise<void> {
    const { store, request, signal } = this.#context;
    const first = this.#plan.steps.find((step) => step.kind === 'cut');
    this.#prepared = await store.prepare?.({ ...request, how: first?.how ?? 'individually' }, signal);
  }

  /** What outlives its session may be changed by any step; else only a freeze or a cut holds anything up. */
  #mayHold(step: PlanStep): boolean {
    if (step.kind === 'cut' || (this.#plan.held ?? []).length > 0) return true;
    return step.freezes === true || step.takesTurn === true;
  }

  async #act(step: Extract<PlanStep, { kind: 'act' }>): Promise<void> {
    if (step.holdsFromStart === true) await this.#holds();
    if (this.#window !== undefined) {
      await this.#within(this.#window, (within) => step.run(within));
      return;
    }
    using limit = timeLimit(
      this.#context.clock,
      FREEZE_LIMIT_MS,
      () => new StillpointError('freeze-timeout', `step ${step.name} did not end within ${FREEZE_LIMIT_MS / 1000} s`),
    );
    await this.#within(limit, (within) => step.run({ ...within, remainingMs: () => this.#ahead() }));
    if (step.freezes === true) this.#openWindow();
  }

  async #holds(): Promise<void> {
    if (!this.#told) await this.#context.onHold?.();
    this.#told = true;
    this.#openWindow();
  }

  /** What a step before the window may count on: the budget, and as long as its turn has not come the wait for that. */
  #ahead(): number {
    const { budgetMs, waitMs = 0 } = this.#context;
    return this.#turned ? budgetMs : budgetMs + waitMs;
  }

  async #cut(step: Extract<PlanStep, { kind: 'cut' }>): Promise<void> {
    const { store, request, clock } = this.#context;
    const window = this.#openWindow();
    this.#before ??= await this.#observe(window);
    this.#firstAskedAt ??= clock.now();
    const volumes = step.volumes.map((name) => this.#volume(name));
    const cuts = await this.#within(window, ({ signal }) =>
      store.cut({ ...request, volumes, how: step.how, copyLast: step.copyLast }, signal),
    );
    this.#lastCutSeenAt = clock.now();
    this.#cuts.push(...cuts);
  }

  /** Safety rule 6: after the last cut, the same session shows that nothing has changed since before the first. */
  async #prove(): Promise<void> {
    const window = this.#window;
    const before = this.#before;
    if (window === undefined || before === undefined) {
      throw new StillpointError('internal', `the plan ${this.#plan.layout} cuts nothing`);
    }
    const after = await this.#observe(window);
    const changed = changedFacts(before.facts, after.facts);
    if (changed.length > 0) {
      throw new StillpointError('proof-failed', `between the first cut and the last ${changed.join(' and ')}`, {
        hint: 'the server was restarted, promoted or replaced meanwhile, or lost the freeze; run the backup again',
      });
    }
    this.#proof = { holds: true, statement: this.#plan.statement, before, after };
  }

  async #observe(window: Window): Promise<Observation> {
    const facts = await this.#within(window, (within) => this.#plan.observe(within));
    return { at: this.#context.clock.now().toISOString(), facts };
  }

  /** Lets the database go. Its time is not taken from the budget: a freeze that ran out of budget must still be undone. */
  async thaw(): Promise<void> {
    const { clock, log } = this.#context;
    const limitMs = this.#plan.thawMs ?? THAW_LIMIT_MS;
    using limit = timeLimit(
      clock,
      limitMs,
      () => new StillpointError('thaw-failed', `the thaw did not end within ${limitMs / 1000} s`),
    );
    await orAborted(this.#plan.thaw({ signal: limit.signal, remainingMs: limit.remainingMs }), limit.signal);
    this.#thawedAt = clock.now();
    if (this.#window !== undefined) this.#windowMs = clock.monotonic() - this.#window.openedMs;
    log.info({ step: 'thaw', windowMs: Math.round(this.#windowMs) }, 'step done');
    await this.#context.onThawed?.();
  }

  async thawAfter(failure: StillpointError): Promise<void> {
    if (this.#thawedAt !== undefined) return;
    try {
      await this.thaw();
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      this.#context.log.error({ code, after: failure.code }, `thaw failed after a failure: ${message}`);
    }
  }

  async discardAfter(failure: StillpointError): Promise<void> {
    const { store, request, jobUid, pod, log } = this.#context;
    if (this.#firstAskedAt === undefined) return;
    try {
      const leftovers = await store.discard({ id: request.id, jobUid, pod, names: this.#plannedNames() });
      if (leftovers.length > 0) failure.leftovers = leftovers;
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      failure.leftovers = this.#plannedNames();
      log.error({ code, after: failure.code }, `the snapshots could not be removed: ${message}`);
    }
  }

  outcome(): FrozenOutcome {
    const known = <T>(value: T | undefined): T => {
      if (value === undefined) throw new StillpointError('internal', 'the plan ended without a result');
      return value;
    };
    return {
      cuts: this.#cuts,
      proof: known(this.#proof),
      frozenAt: known(this.#window).openedAt,
      firstAskedAt: known(this.#firstAskedAt),
      lastCutSeenAt: known(this.#lastCutSeenAt),
      thawedAt: known(this.#thawedAt),
      windowMs: this.#windowMs,
      results: this.#plan.results(),
    };
  }

  end(): void {
    this.#window?.[Symbol.dispose]();
    this.#prepared?.[Symbol.dispose]();
  }

  /** The budget begins when the freeze has taken hold; without a freeze, when the first snapshot is asked for. */
  #openWindow(): Window {
    const { clock, budgetMs } = this.#context;
    this.#window ??= {
      ...timeLimit(
        clock,
        budgetMs,
        () =>
          new StillpointError('budget-exceeded', `not every cut was seen within the budget of ${budgetMs / 1000} s`, {
            hint: 'see how long the storage takes to cut (stillpoint describe shows it), or raise the budget of the policy',
          }),
      ),
      openedAt: clock.now(),
      openedMs: clock.monotonic(),
    };
    return this.#window;
  }

  async #within<T>(limit: Limit, work: (within: StepContext) => Promise<T>): Promise<T> {
    const signal = AbortSignal.any([limit.signal, this.#context.signal]);
    signal.throwIfAborted();
    return await orAborted(work({ signal, remainingMs: limit.remainingMs }), signal);
  }

  #volume(name: string): Volume {
    const found = this.#context.volumes.find((volume) => volume.name === name);
    if (found === undefined)
      throw new StillpointError('internal', `the plan cuts a volume ${name} that it was not given`);
    return found;
  }

  #plannedNames(): readonly string[] {
    return plannedSnapshots(this.#plan, this.#context.store, this.#context.volumes, this.#context.request);
  }
}

type Limit = Pick<Window, 'signal' | 'remainingMs'>;

interface Window extends Disposable {
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  readonly openedAt: Date;
  readonly openedMs: number;
}

function stepName(step: PlanStep): string {
  return step.kind === 'act' ? step.name : `cut ${step.volumes.join(' ')}`;
}
