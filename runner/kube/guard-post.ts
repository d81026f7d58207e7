/** The guard's own end of the Lease: it sees what its Job's runner asks, whether that is still there, and answers. */
import { guardLeaseName, JOB_INDEX } from '../../src/contract';
import { asStillpointError } from '../errors';
import type { Clock, GuardAnswer, GuardOrder, GuardPost, Log } from '../ports';
import type { KubeClient } from './client';
import { isConflict } from './errors';
import { GUARD_DURATION_SECONDS, orderOn, type PlacedAnswer, type PlacedOrder, withAnswer } from './guard-lease';
import { JOBS, type Job, type KubeLease, LEASES } from './objects';
import { hasEnded, isSeenEnded, KubernetesRunners } from './runners';
import { wait } from './wait';
import { watchObjects } from './watch';

/** How often the runner's pod is looked at while an order stands. */
const RUNNER_LOOK_MS = 1_000;
/** How often the Job is looked at. */
const JOB_LOOK_MS = 5_000;
/** How long the last answer may take to be written down. */
const LAST_WORD_MS = 5_000;

export interface GuardPostOptions {
  readonly namespace: string;
  readonly database: string;
  readonly job: { readonly name: string; readonly uid: string };
  /** The guard's own pod. */
  readonly pod: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Wakes whoever pauses. */
  readonly signal: AbortSignal;
}

export class KubernetesGuardPost implements GuardPost {
  readonly #client: KubeClient;
  readonly #options: GuardPostOptions;
  readonly #runners: KubernetesRunners;
  readonly #closed = new AbortController();
  readonly #background: readonly Promise<void>[];
  #order: PlacedOrder | undefined;
  #runnerGone = false;
  #runnerEnded = false;
  #ended = false;
  #begun = false;
  #answer: PlacedAnswer | undefined;
  #written: PlacedAnswer | undefined;
  #changed = Promise.withResolvers<void>();
  #answered = Promise.withResolvers<void>();

  constructor(client: KubeClient, options: GuardPostOptions) {
    this.#client = client;
    this.#options = options;
    this.#runners = new KubernetesRunners(client, options);
    options.signal.addEventListener('abort', () => this.#change(), { once: true });
    this.#background = [
      this.#watchLease(),
      this.#repeat(RUNNER_LOOK_MS, () => this.#lookAtRunner()),
      this.#repeat(JOB_LOOK_MS, () => this.#lookAtJob()),
      this.#repeat(
        (GUARD_DURATION_SECONDS * 1000) / 3,
        () => this.#write(),
        () => this.#answered.promise,
      ),
    ];
  }

  get order(): GuardOrder | undefined {
    return this.#order;
  }

  get runnerGone(): boolean {
    return this.#runnerGone;
  }

  get runnerEnded(): boolean {
    return this.#runnerEnded;
  }

  get begun(): boolean {
    return this.#begun;
  }

  get ended(): boolean {
    return this.#ended;
  }

  async pause(ms: number): Promise<void> {
    if (this.#options.signal.aborted) return await this.#sleep(ms);
    await this.#sleep(ms, this.#changed.promise);
  }

  answer(order: GuardOrder, answer: GuardAnswer): void {
    if (order !== this.#order) return;
    this.#answer = { ...answer, turn: this.#order.turn, guard: this.#options.pod };
    this.#answered.resolve();
    this.#answered = Promise.withResolvers();
  }

  async close(): Promise<void> {
    const end = this.#options.clock.monotonic() + LAST_WORD_MS;
    while (this.#answer !== this.#written && this.#options.clock.monotonic() < end) await this.#sleep(50);
    this.#closed.abort();
    await Promise.all(this.#background);
  }

  async #watchLease(): Promise<void> {
    const { namespace, database, clock, log } = this.#options;
    const selection = { namespace, fields: { 'metadata.name': guardLeaseName(database) } };
    const watcher = { seen: (lease: KubeLease) => this.#see(orderOn(lease)), gone: () => this.#see(undefined) };
    await watchObjects(this.#client, LEASES, selection, watcher, { signal: this.#closed.signal, clock }).catch(
      (thrown: unknown) => {
        log.error(
          { code: asStillpointError(thrown).code },
          `no order can be seen: ${asStillpointError(thrown).message}`,
        );
      },
    );
  }

  #see(order: PlacedOrder | undefined): void {
    const mine = order?.jobUid === this.#options.job.uid && !order.released ? order : undefined;
    this.#begun = mine?.begun === true;
    if (mine?.turn === this.#order?.turn) return;
    this.#order = mine;
    this.#runnerGone = false;
    this.#runnerEnded = false;
    this.#answer = undefined;
    this.#written = undefined;
    this.#change();
  }

  async #lookAtRunner(): Promise<void> {
    const order = this.#order;
    if (order?.pod === undefined || this.#runnerGone) return;
    const pod = await this.#runners.look(order.pod, this.#closed.signal);
    if (!hasEnded(pod) || order !== this.#order) return;
    this.#runnerGone = true;
    this.#runnerEnded = isSeenEnded(pod);
    this.#change();
  }

  async #lookAtJob(): Promise<void> {
    const { job, namespace } = this.#options;
    const found = await this.#client.get(JOBS, { name: job.name, namespace }, this.#closed.signal);
    if (found?.metadata.uid === job.uid && !needsNoGuard(found)) return;
    this.#ended = true;
    this.#change();
  }

  /** The answer, and that the guard is still there. Whoever has lost the order has nothing to say. */
  async #write(): Promise<void> {
    const { namespace, database, clock } = this.#options;
    const answer = this.#answer;
    if (answer === undefined) return;
    const lease = await this.#client.get(LEASES, { name: guardLeaseName(database), namespace }, this.#closed.signal);
    const renewTime = clock
      .now()
      .toISOString()
      .replace(/(\.\d{3})Z$/, '$1000Z');
    const changed = lease === undefined ? undefined : withAnswer(lease, answer, renewTime);
    try {
      if (changed !== undefined) await this.#client.replace(LEASES, changed, this.#closed.signal);
      this.#written = answer;
    } catch (thrown) {
      if (!isConflict(thrown)) throw thrown;
      await this.#write();
    }
  }

  /** Does something again and again until the guard leaves; what goes wrong is tried again. */
  async #repeat(ms: number, work: () => Promise<void>, sooner?: () => Promise<void>): Promise<void> {
    while (!this.#closed.signal.aborted) {
      const woken = sooner?.();
      try {
        await work();
      } catch (thrown) {
        if (!this.#closed.signal.aborted) this.#options.log.warn({}, asStillpointError(thrown).message);
      }
      await this.#sleep(ms, woken);
    }
  }

  async #sleep(ms: number, sooner: Promise<void> = new Promise(() => undefined)): Promise<void> {
    const timer = new AbortController();
    const signal = AbortSignal.any([timer.signal, this.#closed.signal]);
    const passed = wait(this.#options.clock, ms, signal).catch(() => undefined);
    await Promise.race([passed, sooner]);
    timer.abort();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

const ENDING: readonly string[] = ['Complete', 'Failed', 'SuccessCriteriaMet', 'FailureTarget'];

/** Whether a Job goes on no more, or its runner will not come again. Pure. */
export function needsNoGuard({ status }: Pick<Job, 'status'>): boolean {
  const ended = status?.conditions?.some(({ type, status: is }) => is === 'True' && ENDING.includes(type)) ?? false;
  const runner = [status?.completedIndexes, status?.failedIndexes].some((indexes) => includesRunner(indexes ?? ''));
  return ended || runner;
}

/** Indexes are listed as `0,3-5`; the runner's is the lowest there is. */
function includesRunner(indexes: string): boolean {
  return Number.parseInt(indexes, 10) === JOB_INDEX.runner;
}
