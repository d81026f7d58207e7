/** Starts again what was stopped for its cuts, from another process than the one that stopped it. */
import { type Held, STOPPED_KINDS, type StoppedWorkload } from '../../src/contract';
import type { EngineGuard, GuardSession } from '../engine';
import { StillpointError } from '../errors';
import type { Clock, Workloads } from '../ports';
import { start } from './offline-plan';

/** How often the API server is asked, however often the guard is. */
const LOOK_MS = 1_000;

/** How long pods may take to stop: so long a runner waits for them (frozen.ts). */
const STOP_LIMIT_MS = 300_000;

export function offlineGuard(workloads: Workloads, clock: Clock): EngineGuard {
  return {
    open: async (_target, held, _log, signal) => {
      const stopped = stoppedOf(held);
      const now = await workloads.look(stopped.workload, [], signal);
      if (now?.uid === stopped.uid) return new OfflineSession(stopped, workloads, clock);
      throw new StillpointError('server-changed', `${held.member} is gone, or is another one of its name`, {
        hint: 'what was stopped is not there any more',
      });
    },
  };
}

interface Stopped {
  readonly workload: StoppedWorkload;
  readonly uid: string;
  readonly replicas: number;
  readonly claims: readonly string[];
}

class OfflineSession implements GuardSession {
  readonly #stopped: Stopped;
  readonly #workloads: Workloads;
  readonly #clock: Clock;
  #lookedAt: number | undefined;
  #zeroSince: number | undefined;
  #holds = false;

  constructor(stopped: Stopped, workloads: Workloads, clock: Clock) {
    this.#stopped = stopped;
    this.#workloads = workloads;
    this.#clock = clock;
  }

  readonly lost: AbortSignal = new AbortController().signal;
  readonly isOneChange = true;

  /** The budget counts from when nobody holds the claims any more: how long pods take to stop is theirs to say. */
  async holds(signal: AbortSignal): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (this.#lookedAt !== undefined && now - this.#lookedAt < LOOK_MS) return this.#holds;
    const { workload, claims } = this.#stopped;
    const seen = await this.#workloads.look(workload, claims, signal);
    this.#lookedAt = now;
    const atZero = seen !== undefined && seen.replicas === 0;
    if (!atZero) this.#zeroSince = undefined;
    else this.#zeroSince ??= now;
    const endless = this.#zeroSince !== undefined && now - this.#zeroSince >= STOP_LIMIT_MS;
    this.#holds = atZero && (seen.holders.length === 0 || endless);
    return this.#holds;
  }

  async undo(signal: AbortSignal): Promise<readonly string[]> {
    const { workload, uid, replicas } = this.#stopped;
    const done = await start(this.#workloads, { workload, seen: { uid, replicas } }, signal);
    this.#lookedAt = undefined;
    return done;
  }

  async close(): Promise<void> {}
}

function stoppedOf({ undo, member }: Held): Stopped {
  const { kind: word, name = '', uid = '', replicas, claims = '' } = undo;
  const kind = STOPPED_KINDS.find((each) => each === word);
  if (kind === undefined || name === '') {
    throw new StillpointError('record-unreadable', `the record does not say what was stopped at ${member}`);
  }
  return {
    workload: { kind, name },
    uid,
    replicas: Number(replicas),
    claims: claims.split(' ').filter((c) => c !== ''),
  };
}
