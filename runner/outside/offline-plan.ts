/**
 * A plan of a database that is stopped: it is scaled to zero, its claims are waited for until nobody holds them, and it is
 * scaled back as soon as the cuts are seen. What is recorded before is the number of its replicas: with that the guard, or a
 * later run, starts it again.
 */
import type { Held, StoppedWorkload } from '../../src/contract';
import { orAborted, pauseFor } from '../abort';
import type { Plan, PlanStep, StepContext } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { THAW_LIMIT_MS } from '../frozen';
import type { Clock, HolderWatch, SeenWorkload, Workloads } from '../ports';

/** How long pods that were stopped may take to serve again until that is said, and waited for no longer. */
export const BACK_LIMIT_MS = 600_000;

/** How often a workload that was started is looked at. */
const LOOK_MS = 500;

/** What is stopped, as it was when that was decided. */
export interface Stopping {
  readonly workload: StoppedWorkload;
  readonly seen: SeenWorkload;
  readonly claims: readonly string[];
}

/** What is to be the same after the last cut as before the first is that nobody was there. */
const STATEMENT = 'and nobody held their claims from before the first cut until after the last';

/** Wraps the plan of an engine that can do without its server. */
export function stopped(plan: Plan, stopping: Stopping, world: { workloads: Workloads; clock: Clock }): Plan {
  const run = new StoppedRun(plan, stopping, world);
  const cut = plan.steps.findIndex(({ kind }) => kind === 'cut');
  return {
    ...plan,
    freezes: 'everything',
    statement: `${plan.statement}, ${STATEMENT}`,
    steps: [...plan.steps.slice(0, cut), run.step, ...plan.steps.slice(cut)],
    held: [...(plan.held ?? []), ...(stopping.seen.replicas === 0 ? [] : [heldOf(stopping)])],
    observe: run.observe,
    thaw: run.thaw,
    thawMs: THAW_LIMIT_MS * 2,
    ...(stopping.seen.replicas === 0 ? {} : { back: run.back }),
  };
}

class StoppedRun {
  readonly #plan: Plan;
  readonly #stopping: Stopping;
  readonly #workloads: Workloads;
  readonly #clock: Clock;
  #askedMs: number | undefined;
  /** What became of the request to stop it; undefined as long as none was sent. */
  #asked: Promise<unknown> | undefined;
  #watch: HolderWatch | undefined;

  constructor(plan: Plan, stopping: Stopping, { workloads, clock }: { workloads: Workloads; clock: Clock }) {
    this.#plan = plan;
    this.#stopping = stopping;
    this.#workloads = workloads;
    this.#clock = clock;
  }

  get step(): PlanStep {
    return { kind: 'act', name: `stop ${nameOf(this.#stopping.workload)}`, freezes: true, run: this.#stop };
  }

  /** Where it had been stopped already there is nothing to stop, and later nothing to start. */
  readonly #stop = async ({ signal }: StepContext): Promise<void> => {
    const { workload, claims, seen } = this.#stopping;
    await this.#assertAsSeen(signal);
    this.#watch = this.#workloads.watchHolders(claims);
    if (seen.replicas > 0) {
      this.#askedMs = this.#clock.monotonic();
      // Not with the signal: what was sent takes effect all the same, and the thaw has to know of it.
      this.#asked = this.#workloads.scale(workload, 0, new AbortController().signal);
      await orAborted(this.#asked, signal);
    }
    await this.#watch.free(signal);
  };

  /** Between the look and now there was a guard to wait for, and a turn: it is scaled back to what is true now, or not stopped. */
  async #assertAsSeen(signal: AbortSignal): Promise<void> {
    const { workload, claims, seen } = this.#stopping;
    const now = await this.#workloads.look(workload, claims, signal);
    if (now?.uid === seen.uid && now.replicas === seen.replicas) return;
    const found = now === undefined ? 'it is gone' : `another one or with ${now.replicas}`;
    throw new StillpointError(
      'offline-unsuitable',
      `${nameOf(workload)} had ${seen.replicas} replicas when it was looked at, and now ${found}`,
      { hint: 'somebody has changed it meanwhile: take the backup again' },
    );
  }

  readonly observe = async ({ signal }: StepContext): Promise<Readonly<Record<string, string>>> => {
    const { workload, claims } = this.#stopping;
    const now = await this.#workloads.look(workload, claims, signal);
    const since = this.#watch?.since ?? ['nobody has looked'];
    const seen = [...new Set([...since, ...(now?.holders ?? []).map((name) => `pod ${name}`)])];
    if (seen.length > 0) {
      throw new StillpointError('proof-failed', `${seen.join(', ')} held ${claims.join(', ')} while they were cut`, {
        hint: 'somebody has started it meanwhile, or runs something else on its volumes: look at who sets its replicas',
      });
    }
    return {
      workload: `${nameOf(workload)} ${now?.uid ?? 'gone'}`,
      replicas: String(now?.replicas ?? 'gone'),
      // Scaled up and down again in between, it would have another.
      generation: now?.generation ?? 'gone',
      holders: 'none',
    };
  };

  readonly thaw = async (within: StepContext): Promise<void> => {
    await this.#watch?.[Symbol.asyncDispose]();
    this.#watch = undefined;
    try {
      await this.#startAgain(within.signal);
    } finally {
      await this.#plan.thaw(within);
    }
  };

  /** A request to stop it that was not answered may take effect after it was found running: then nobody may say that it runs. */
  async #startAgain(signal: AbortSignal): Promise<void> {
    if (this.#asked === undefined) return;
    const unanswered = await orAborted(
      this.#asked.then(() => undefined, asStillpointError),
      signal,
    );
    const done = await start(this.#workloads, this.#stopping, signal);
    if (unanswered?.code !== 'kubernetes-unreachable' || done.length > 0) return;
    const name = nameOf(this.#stopping.workload);
    throw new StillpointError('thaw-failed', `whether ${name} was told to stop is not known: ${unanswered.message}`, {
      hint: 'should it stop, its guard starts it again, the next backup does, or stillpoint heal',
    });
  }

  readonly back = async (signal: AbortSignal): Promise<{ readonly downtimeMs: number }> => {
    const { workload, claims, seen } = this.#stopping;
    // As many as served before: one that did not then would be waited for in vain.
    const wanted = Math.max(1, seen.ready);
    const from = this.#askedMs ?? this.#clock.monotonic();
    while (this.#clock.monotonic() - from < BACK_LIMIT_MS) {
      const now = await this.#workloads.look(workload, claims, signal);
      if ((now?.ready ?? 0) >= wanted) return { downtimeMs: Math.round(this.#clock.monotonic() - from) };
      await pauseFor(this.#clock, LOOK_MS, signal);
    }
    throw new StillpointError(
      'wait-timeout',
      `${nameOf(workload)} was started, and is not ready after ${BACK_LIMIT_MS / 1000} s`,
      {
        hint: `the backup is good; look at its pods: kubectl describe ${workload.kind.toLowerCase()} ${workload.name}`,
      },
    );
  };
}

/**
 * Scales it back where it is at zero still: whoever has started it meanwhile, with whatever number, knows better. Answers in
 * words what was done. Idempotent.
 */
export async function start(
  workloads: Workloads,
  { workload, seen }: Pick<Stopping, 'workload'> & { readonly seen: Pick<SeenWorkload, 'uid' | 'replicas'> },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const now = await workloads.look(workload, [], signal);
  if (now === undefined || now.uid !== seen.uid || now.replicas > 0) return [];
  await workloads.scale(workload, seen.replicas, signal);
  return [`${nameOf(workload)} was scaled back to ${seen.replicas}`];
}

function heldOf({ workload, seen, claims }: Stopping): Held {
  const { kind, name } = workload;
  return {
    member: nameOf(workload),
    by: 'workload',
    host: name,
    port: 1,
    undo: { kind, name, uid: seen.uid, replicas: String(seen.replicas), claims: claims.join(' ') },
  };
}

/** As kubectl has it: `statefulset/graph`. */
export function nameOf({ kind, name }: StoppedWorkload): string {
  return `${kind.toLowerCase()}/${name}`;
}
