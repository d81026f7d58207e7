/**
 * One holder at a time, by a Lease.
 *
 * Clocks of two machines are never compared: a Lease counts as given up when its renewTime has not changed for its
 * whole duration as seen on our own clock. It is no fence: records are changed by compare-and-swap besides. Given up is not
 * taken: whoever was kept from renewing it asks whether somebody has, and goes on where nobody did
 * (docs/decisions/0074-an-overdue-lease-is-asked-for.md).
 */
import { timeLimit } from '../abort';
import { StillpointError } from '../errors';
import type { Clock, Lease, Locks, Log } from '../ports';
import type { KubeClient } from './client';
import { isAlreadyThere, isConflict, isMissing } from './errors';
import { type KubeLease, LEASES } from './objects';
import { wait } from './wait';

const DURATION_SECONDS = 30;
const RENEW_MS = 10_000;
/** For how long whoever woke up too late to renew in time waits for the answer that tells whether it was too late. */
const OVERDUE_MS = 5_000;
/** How often a Lease that may have been given up is looked at. */
const LOOK_MS = 2_000;

export interface KubernetesLocksOptions {
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly durationSeconds?: number;
}

export class KubernetesLocks implements Locks {
  readonly #client: KubeClient;
  readonly #options: KubernetesLocksOptions;

  constructor(client: KubeClient, options: KubernetesLocksOptions) {
    this.#client = client;
    this.#options = options;
  }

  /**
   * Takes the Lease: a new one, one that was given back, one's own (the Job's pod before), or one whose holder has
   * not renewed it for its duration, which takes that long to find out.
   */
  async acquire(name: string, holder: string): Promise<Lease> {
    const { namespace } = this.#options;
    const found = await this.#client.get(LEASES, { name, namespace });
    if (found === undefined) return this.#held(await this.#create(name, holder));
    const by = found.spec?.holderIdentity ?? '';
    if (by === '' || by === holder) return this.#held(await this.#take(found, holder));
    return this.#held(await this.#take(await this.#whenGivenUp(found, by), holder));
  }

  /** Takes a Lease as it was seen to be free. Throws backup-in-progress when somebody else was quicker. */
  async claim(seen: KubeLease, holder: string): Promise<Lease> {
    return this.#held(await this.#take(seen, holder));
  }

  async #create(name: string, holder: string): Promise<KubeLease> {
    const { namespace } = this.#options;
    try {
      return await this.#client.create(LEASES, {
        metadata: { name, namespace },
        spec: { ...this.#spec(holder), leaseTransitions: 0 },
      });
    } catch (thrown) {
      if (isAlreadyThere(thrown)) throw inProgress(namespace, name, 'somebody else, who was quicker');
      throw thrown;
    }
  }

  /** A compare-and-swap: of two who find a Lease free, one gets it. */
  async #take(lease: KubeLease, holder: string): Promise<KubeLease> {
    const { namespace } = this.#options;
    const transitions = (lease.spec?.leaseTransitions ?? 0) + (lease.spec?.holderIdentity === holder ? 0 : 1);
    try {
      return await this.#client.replace(LEASES, {
        ...lease,
        spec: { ...this.#spec(holder), leaseTransitions: transitions },
      });
    } catch (thrown) {
      if (isConflict(thrown) || isMissing(thrown)) {
        throw inProgress(namespace, lease.metadata.name, 'somebody else, who was quicker');
      }
      throw thrown;
    }
  }

  /** Looks on for the Lease's duration. Throws backup-in-progress as soon as it was renewed. */
  async #whenGivenUp(first: KubeLease, by: string): Promise<KubeLease> {
    const { namespace, clock, log } = this.#options;
    const { name, resourceVersion } = first.metadata;
    const seconds = first.spec?.leaseDurationSeconds ?? DURATION_SECONDS;
    log.info(
      { lease: name, holder: by },
      `held by ${by}: waiting up to ${seconds} s to see whether it is still renewed`,
    );
    const end = clock.monotonic() + seconds * 1000;
    while (clock.monotonic() < end) {
      await wait(clock, Math.max(0, Math.min(LOOK_MS, end - clock.monotonic())));
      const now = await this.#client.get(LEASES, { name, namespace });
      if (now === undefined) throw inProgress(namespace, name, 'somebody who has removed it just now');
      if ((now.spec?.holderIdentity ?? '') === '') return now;
      if (now.metadata.resourceVersion !== resourceVersion) throw inProgress(namespace, name, by);
    }
    log.warn({ lease: name, holder: by }, `the holder has not renewed it for ${seconds} s: it is taken over`);
    return first;
  }

  #held(lease: KubeLease): Lease {
    return new HeldLease(this.#client, lease, this.#options, (holder) => this.#spec(holder));
  }

  #spec(holder: string): NonNullable<KubeLease['spec']> {
    const now = microTime(this.#options.clock.now());
    return {
      holderIdentity: holder,
      leaseDurationSeconds: this.#options.durationSeconds ?? DURATION_SECONDS,
      acquireTime: now,
      renewTime: now,
    };
  }
}

/** Renews a Lease in the background until it is released or lost. */
class HeldLease implements Lease {
  readonly #client: KubeClient;
  readonly #options: KubernetesLocksOptions;
  readonly #lost = new AbortController();
  readonly #released = new AbortController();
  readonly #renewing: Promise<void>;
  #lease: KubeLease;
  #renewedAt: number;

  constructor(
    client: KubeClient,
    lease: KubeLease,
    options: KubernetesLocksOptions,
    private readonly spec: (holder: string) => NonNullable<KubeLease['spec']>,
  ) {
    this.#client = client;
    this.#lease = lease;
    this.#options = options;
    this.#renewedAt = options.clock.monotonic();
    this.#renewing = this.#renewUntilReleased();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async release(): Promise<void> {
    this.#released.abort();
    await this.#renewing;
    if (this.#lost.signal.aborted) return;
    const { holderIdentity, ...rest } = this.#lease.spec ?? {};
    try {
      await this.#client.replace(LEASES, { ...this.#lease, spec: rest });
    } catch (thrown) {
      // Somebody has taken it, or removed it: either way it is ours no longer.
      if (!isConflict(thrown) && !isMissing(thrown)) throw thrown;
    }
  }

  async #renewUntilReleased(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#released.signal.aborted) {
      try {
        await wait(clock, this.#renewMs(), this.#released.signal);
      } catch {
        return;
      }
      await this.#renew();
      if (this.#lost.signal.aborted) return;
    }
  }

  async #renew(): Promise<void> {
    const { clock, log } = this.#options;
    const holder = this.#lease.spec?.holderIdentity ?? '';
    const { acquireTime, leaseTransitions } = this.#lease.spec ?? {};
    const kept = { ...(acquireTime && { acquireTime }), ...(leaseTransitions !== undefined && { leaseTransitions }) };
    const began = clock.monotonic();
    // Others take it over when its time is up: whoever got no answer until shortly before has to know that by then.
    const last = this.#renewedAt + this.#durationMs() - this.#renewMs() / 2;
    // Who got no processor until after that asks all the same: the swap succeeds only where nobody has touched the Lease since.
    using limit = timeLimit(clock, began < last ? last - began : OVERDUE_MS, unanswered);
    try {
      const lease = { ...this.#lease, spec: { ...this.spec(holder), ...kept } };
      this.#lease = await this.#client.replace(LEASES, lease, limit.signal);
      this.#renewedAt = began;
    } catch (thrown) {
      // A refusal means that it is somebody else's, or gone. Silence is overcome, as long as nobody may take it over.
      const silent = thrown instanceof StillpointError && thrown.code === 'kubernetes-unreachable';
      if (silent && clock.monotonic() - this.#renewedAt < this.#durationMs() - this.#renewMs()) {
        log.warn({ lease: this.#lease.metadata.name }, `not renewed: ${thrown.message}`);
        return;
      }
      this.#lose(thrown);
    }
  }

  #lose(cause: unknown): void {
    const { name, namespace } = this.#lease.metadata;
    this.#lost.abort(
      new StillpointError('interrupted', `the lease ${namespace}/${name} was lost while the backup was at work`, {
        hint: 'another run may have taken it, because this one could not renew it in time',
        cause,
      }),
    );
  }

  #durationMs(): number {
    return (this.#options.durationSeconds ?? DURATION_SECONDS) * 1000;
  }

  #renewMs(): number {
    return Math.min(RENEW_MS, this.#durationMs() / 3);
  }
}

function unanswered(): StillpointError {
  return new StillpointError('kubernetes-unreachable', 'no answer from the Kubernetes API before its time was up');
}

function inProgress(namespace: string, name: string, by: string): StillpointError {
  return new StillpointError('backup-in-progress', `the lease ${namespace}/${name} is held by ${by}`, {
    hint: 'wait until the other backup has ended; stillpoint list shows it',
  });
}

/** The API's MicroTime: six digits of a second. */
function microTime(at: Date): string {
  return at.toISOString().replace(/(\.\d{3})Z$/, '$1000Z');
}
