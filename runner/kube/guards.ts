/** A runner's side of the Lease where it meets its guard: the order, and what comes back. */
import { guardLeaseName } from '../../src/contract';
import { timeLimit } from '../abort';
import { asStillpointError, StillpointError } from '../errors';
import type { ArmedGuard, Clock, GuardOrder, GuardReport, Guards, Log } from '../ports';
import type { KubeClient } from './client';
import { isAlreadyThere, isConflict } from './errors';
import {
  answerOn,
  GUARD_DURATION_SECONDS,
  letGoBy,
  newGuardLease,
  orderOn,
  reportOf,
  withBeginning,
  withOrder,
  withRelease,
} from './guard-lease';
import { type KubeLease, LEASES } from './objects';
import { watchObjects } from './watch';

/** How often a change is tried again when somebody else was quicker: the guard alone writes there besides. */
const TRIES = 5;

/** How long letting the guard go may take: the database is free by then, and a guard that is not told finds nothing to do. */
const RELEASE_LIMIT_MS = 5_000;

/** How long it may take to tell the guard that something begins: nothing is held yet. */
const BEGIN_LIMIT_MS = 10_000;

export interface KubernetesGuardsOptions {
  readonly namespace: string;
  readonly database: string;
  readonly timeoutSeconds: number;
  readonly clock: Clock;
  readonly log: Log;
}

export class KubernetesGuards implements Guards {
  readonly #client: KubeClient;
  readonly #options: KubernetesGuardsOptions;

  constructor(client: KubeClient, options: KubernetesGuardsOptions) {
    this.#client = client;
    this.#options = options;
  }

  async arm(order: GuardOrder, signal: AbortSignal): Promise<ArmedGuard> {
    const { clock, timeoutSeconds, log } = this.#options;
    using limit = timeLimit(clock, timeoutSeconds * 1000, () =>
      missing(`no guard has answered within ${timeoutSeconds} s`),
    );
    const either = AbortSignal.any([signal, limit.signal]);
    const placed = await change(this.#client, this.#options, (lease) => withOrder(lease, order), either);
    const guard = new WatchedGuard(this.#client, orderOn(placed)?.turn ?? 0, this.#options);
    try {
      log.info({ guard: await guard.answers(either) }, 'the guard is armed');
      return guard;
    } catch (thrown) {
      await guard.release();
      throw thrown;
    }
  }

  async reportOn({ id, jobUid }: Pick<GuardOrder, 'id' | 'jobUid'>): Promise<GuardReport | undefined> {
    const { namespace, database } = this.#options;
    const lease = await this.#client.get(LEASES, { name: guardLeaseName(database), namespace });
    const order = orderOn(lease);
    return order?.id === id && order.jobUid === jobUid ? reportOf(answerOn(lease)) : undefined;
  }

  async letGoBy(order: Pick<GuardOrder, 'id' | 'jobUid' | 'pod'>): Promise<'runner' | 'guard' | undefined> {
    const { namespace, database } = this.#options;
    return letGoBy(await this.#client.get(LEASES, { name: guardLeaseName(database), namespace }), order);
  }
}

/** Looks on what the guard says until it is let go. */
class WatchedGuard implements ArmedGuard {
  readonly #client: KubeClient;
  readonly #turn: number;
  readonly #options: KubernetesGuardsOptions;
  readonly #lost = new AbortController();
  readonly #released = new AbortController();
  readonly #armed = Promise.withResolvers<string>();
  readonly #watching: Promise<void>;
  #isArmed = false;
  #report: GuardReport | undefined;
  #renewTime: string | undefined;
  #silence: { cancel(): void } | undefined;

  constructor(client: KubeClient, turn: number, options: KubernetesGuardsOptions) {
    this.#client = client;
    this.#turn = turn;
    this.#options = options;
    this.#armed.promise.catch(() => undefined);
    const { namespace, database, clock } = options;
    const selection = { namespace, fields: { 'metadata.name': guardLeaseName(database) } };
    const watcher = {
      seen: (lease: KubeLease) => this.#see(lease),
      gone: () => this.#end('its lease was removed'),
    };
    this.#watching = watchObjects(client, LEASES, selection, watcher, { signal: this.#released.signal, clock }).catch(
      (thrown: unknown) => this.#end(asStillpointError(thrown).message),
    );
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get report(): GuardReport | undefined {
    return this.#report;
  }

  /** Resolves with the guard's pod when it is armed; throws the signal's reason when that comes first. */
  async answers(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const stop = (): void => this.#armed.reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await this.#armed.promise;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async begin(): Promise<void> {
    using limit = timeLimit(this.#options.clock, BEGIN_LIMIT_MS, () => missing('it could not be told that it begins'));
    const either = AbortSignal.any([limit.signal, this.#lost.signal]);
    const told = await change(this.#client, this.#options, (lease) => withBeginning(lease, this.#turn), either);
    if (told === undefined) throw missing('it has got the order of another run');
  }

  async release(): Promise<void> {
    const { clock, log } = this.#options;
    this.#released.abort();
    this.#silence?.cancel();
    await this.#watching;
    using limit = timeLimit(clock, RELEASE_LIMIT_MS, () => new StillpointError('kubernetes-unreachable', 'no answer'));
    try {
      await change(this.#client, this.#options, (lease) => withRelease(lease, this.#turn), limit.signal);
    } catch (thrown) {
      log.warn({}, `the guard was not let go: ${asStillpointError(thrown).message}; it will find nothing to undo`);
    }
  }

  #see(lease: KubeLease): void {
    if (orderOn(lease)?.turn !== this.#turn) this.#end('it has got the order of another run');
    const answer = answerOn(lease);
    if (answer === undefined) return;
    this.#report = reportOf(answer);
    if (answer.state === 'armed') this.#hear(lease, answer.guard);
    else this.#end(answer.why);
  }

  /** The guard is armed, or still is. */
  #hear(lease: KubeLease, guard: string): void {
    this.#isArmed = true;
    this.#armed.resolve(guard);
    if (lease.spec?.renewTime === this.#renewTime) return;
    // What counts is that it changes, by our own clock: never the time that it says.
    this.#renewTime = lease.spec?.renewTime;
    this.#silence?.cancel();
    this.#silence = this.#options.clock.after(GUARD_DURATION_SECONDS * 1000, () =>
      this.#end(`it has given no sign of life for ${GUARD_DURATION_SECONDS} s`),
    );
  }

  #end(why: string): void {
    if (this.#released.signal.aborted) return;
    if (!this.#isArmed) this.#armed.reject(missing(why));
    else this.#lost.abort(acted(this.#report, why));
  }
}

function acted(report: GuardReport | undefined, why: string): StillpointError {
  return report === undefined
    ? new StillpointError('guard-acted', `the guard cannot undo the freeze any more: ${why}`, {
        hint: 'the database was let go; look at the pod of the Job whose index is 1',
      })
    : new StillpointError('guard-acted', `the guard ${report.guard} has undone the freeze: ${why}`, {
        hint: 'the storage may take longer to cut than the budget of the policy allows',
      });
}

function missing(why: string): StillpointError {
  return new StillpointError('guard-missing', `the guard is not there: ${why}`, {
    hint: 'it is the pod of the Job whose index is 1: see with kubectl describe whether it could start, and what it says in its log',
  });
}

/** Makes the Lease, or changes it by compare-and-swap. What is to be changed may say that there is nothing to change. */
async function change(
  client: KubeClient,
  { namespace, database }: KubernetesGuardsOptions,
  next: (lease: KubeLease) => KubeLease | undefined,
  signal: AbortSignal,
): Promise<KubeLease | undefined> {
  const name = guardLeaseName(database);
  for (let left = TRIES; ; left--) {
    try {
      const found = await client.get(LEASES, { name, namespace }, signal);
      const changed = next(found ?? newGuardLease(namespace, database));
      if (changed === undefined) return undefined;
      return await (found === undefined
        ? client.create(LEASES, changed, signal)
        : client.replace(LEASES, changed, signal));
    } catch (thrown) {
      if (left === 0 || !(isConflict(thrown) || isAlreadyThere(thrown))) throw thrown;
    }
  }
}
