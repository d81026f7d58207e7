/**
 * Turns at the snapshot controller, which makes few requests a second for the whole cluster: a pool of Leases in the
 * registry's namespace, which the registry's chart has made.
 *
 * Who finds none free watches one of them, and asks nothing meanwhile: a thousand may wait. As with any Lease, one that is
 * not renewed for its whole duration, as seen here, is taken over.
 */
import { createHash } from 'node:crypto';
import { slotName } from '../../src/contract';
import { timeLimit } from '../abort';
import { asStillpointError, StillpointError } from '../errors';
import type { Clock, Log, Slot, Slots } from '../ports';
import type { KubeClient } from './client';
import { isForbidden } from './errors';
import { KubernetesLocks } from './locks';
import { type KubeLease, LEASES } from './objects';
import { wait } from './wait';
import { watchObjects } from './watch';

/** Soon enough for those who wait behind a holder that is gone; held for a few seconds, it is hardly ever renewed. */
const DURATION_SECONDS = 15;

/** Those who see one slot become free do not all ask for it in the same moment: the first gets it, the others see that. */
const SPREAD_MS = 250;

/** How many slots are looked at before one is waited for: with many, one of a few is free if any is likely to be. */
const LOOK_AT = 3;

export interface KubernetesSlotsOptions {
  /** The registry's. */
  readonly namespace: string;
  readonly count: number;
  /** Who asks: a Job's next pod gets its own slot back at once. */
  readonly holder: string;
  /** How long to wait at most. */
  readonly limitMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export class KubernetesSlots implements Slots {
  readonly #client: KubeClient;
  readonly #options: KubernetesSlotsOptions;
  readonly #locks: KubernetesLocks;

  constructor(client: KubeClient, options: KubernetesSlotsOptions) {
    this.#client = client;
    this.#options = options;
    this.#locks = new KubernetesLocks(client, { ...options, durationSeconds: DURATION_SECONDS });
  }

  async take(signal: AbortSignal): Promise<Slot | undefined> {
    const { namespace, log } = this.#options;
    const seen = await this.#ifAllowed(signal);
    if (seen.length === 0) {
      const name = slotName(0);
      log.warn({ lease: name }, `there is no lease ${namespace}/${name} to be had: nobody waits for turns`);
      return undefined;
    }
    for (const lease of seen) {
      const slot = isFree(lease, this.#options.holder) ? await this.#claim(lease) : undefined;
      if (slot !== undefined) return slot;
    }
    return await this.#queue(seen[0]?.metadata.name ?? slotName(0), signal);
  }

  /** A registry, or an account, of a version before this one has none: then a backup goes on as it did. */
  async #ifAllowed(signal: AbortSignal): Promise<readonly KubeLease[]> {
    try {
      return await this.#look(signal);
    } catch (thrown) {
      if (isForbidden(thrown)) return [];
      throw thrown;
    }
  }

  /** The slots that are there, each backup's own first: so those who wait are spread over all. */
  async #look(signal: AbortSignal): Promise<readonly KubeLease[]> {
    const { namespace, count, holder } = this.#options;
    const first = numberFrom(holder) % count;
    const found: KubeLease[] = [];
    for (let step = 0; step < Math.min(count, LOOK_AT); step++) {
      const name = slotName((first + step) % count);
      const lease = await this.#client.get(LEASES, { name, namespace }, signal);
      if (lease === undefined) continue;
      found.push(lease);
      if (isFree(lease, holder)) break;
    }
    return found;
  }

  async #queue(name: string, signal: AbortSignal): Promise<Slot> {
    const { namespace, clock, log, limitMs } = this.#options;
    log.info({ lease: name }, 'waiting for the snapshot controller to be free: nothing is frozen');
    const began = clock.monotonic();
    using limit = timeLimit(
      clock,
      limitMs,
      () =>
        new StillpointError(
          'controller-busy',
          `other backups have kept lease ${namespace}/${name} for ${Math.round(limitMs / 1000)} s`,
          { hint: 'spread the schedules, let the snapshot controller make more requests a second, or cut directly' },
        ),
    );
    const waiting = AbortSignal.any([signal, limit.signal]);
    const line = new Line(this.#client, name, this.#options, waiting);
    try {
      while (true) {
        const lease = await line.next();
        await wait(clock, numberFrom(`${this.#options.holder} ${lease.metadata.resourceVersion}`) % SPREAD_MS, waiting);
        if (!line.isNewest(lease)) continue;
        const slot = await this.#claim(lease);
        if (slot === undefined) continue;
        log.info({ lease: name, ms: Math.round(clock.monotonic() - began) }, 'the snapshot controller is free');
        return slot;
      }
    } finally {
      line.end();
    }
  }

  /** Undefined when somebody else was quicker. */
  async #claim(lease: KubeLease): Promise<Slot | undefined> {
    const { clock } = this.#options;
    try {
      const held = await this.#locks.claim(lease, this.#options.holder);
      return {
        release: async (restMs) => {
          await wait(clock, restMs);
          await held.release();
        },
      };
    } catch (thrown) {
      if (asStillpointError(thrown).code === 'backup-in-progress') return undefined;
      throw thrown;
    }
  }
}

/** Sees when one Lease is worth asking for: it was given back, or its holder has not renewed it for its duration. */
class Line {
  readonly #clock: Clock;
  readonly #holder: string;
  readonly #watching = new AbortController();
  #newest: KubeLease | undefined;
  #worth: KubeLease | undefined;
  #stale: { cancel(): void } | undefined;
  #waiter: PromiseWithResolvers<KubeLease> | undefined;
  #failure: unknown;

  constructor(
    client: KubeClient,
    name: string,
    { namespace, clock, holder }: KubernetesSlotsOptions,
    signal: AbortSignal,
  ) {
    this.#clock = clock;
    this.#holder = holder;
    const selection = { namespace, fields: { 'metadata.name': name } };
    const options = { signal: AbortSignal.any([signal, this.#watching.signal]), clock };
    watchObjects(client, LEASES, selection, { seen: (lease) => this.#seen(lease) }, options).then(
      () => this.#fail(signal.reason),
      (thrown: unknown) => this.#fail(thrown),
    );
  }

  /** The next version of the Lease that is worth asking for; each is told once. */
  async next(): Promise<KubeLease> {
    if (this.#failure !== undefined) throw this.#failure;
    const lease = this.#worth ?? (await this.#later());
    this.#worth = undefined;
    return lease;
  }

  isNewest({ metadata }: KubeLease): boolean {
    return this.#newest?.metadata.resourceVersion === metadata.resourceVersion;
  }

  end(): void {
    this.#stale?.cancel();
    this.#watching.abort();
  }

  #later(): Promise<KubeLease> {
    this.#waiter = Promise.withResolvers<KubeLease>();
    return this.#waiter.promise;
  }

  #seen(lease: KubeLease): void {
    if (this.isNewest(lease)) return;
    this.#newest = lease;
    this.#worth = undefined;
    this.#stale?.cancel();
    const seconds = lease.spec?.leaseDurationSeconds ?? DURATION_SECONDS;
    if (isFree(lease, this.#holder)) this.#tell(lease);
    else this.#stale = this.#clock.after(seconds * 1000, () => this.#tell(lease));
  }

  #tell(lease: KubeLease): void {
    if (this.#waiter === undefined) this.#worth = lease;
    else this.#waiter.resolve(lease);
    this.#waiter = undefined;
  }

  #fail(reason: unknown): void {
    this.#failure = reason ?? new StillpointError('internal', 'nobody watches the lease any more');
    this.#stale?.cancel();
    this.#waiter?.reject(this.#failure);
  }
}

function isFree({ spec }: KubeLease, holder: string): boolean {
  const by = spec?.holderIdentity ?? '';
  return by === '' || by === holder;
}

/** A number that depends on a text alone. */
function numberFrom(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}
