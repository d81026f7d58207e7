/**
 * The pause of writes: it belongs to the server, not to the session, and ends by itself at the time that it is given. So a
 * runner that is gone leaves nothing of it behind (safety rule 8).
 */

import { JOB_DEFAULTS } from '../../../src/contract';
import { timeLimit } from '../../abort';
import { refuseChangedServer } from '../../changed-facts';
import { systemClock } from '../../clock';
import type { StepContext } from '../../engine';
import { StillpointError } from '../../errors';
import { identityOf } from './facts';
import type { RedisSession } from './session';
import { WaitingWriter } from './waiting-writer';

/** The runner keeps its budget itself, and says so; the server comes after it. Within the 5 s of safety rule 8. */
const SERVER_GRACE_MS = 2_000;

/** A pause, from before it begins until after it has ended. */
export class Pause {
  #writer: WaitingWriter | undefined;
  #begun = false;

  constructor(private readonly session: RedisSession) {}

  /** Whether it may be in force. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Connects what will show that it holds: before anything stands still. */
  async prepare({ signal }: StepContext): Promise<void> {
    this.#writer ??= await WaitingWriter.open(this.session.target, this.session.endpoint, signal);
  }

  /** Pauses writes, and sees one wait. A server that is busy with one long command answers late: it is not waited for. */
  async begin(within: StepContext): Promise<void> {
    const seconds = JOB_DEFAULTS.lockTimeoutSeconds;
    using limit = timeLimit(systemClock, seconds * 1000, () => notInTime(seconds));
    const either = { signal: AbortSignal.any([within.signal, limit.signal]) };
    const { identity } = this.session.server;
    // A master that was a replica when it was checked is not what the policy lets wait: a session outlives a failover.
    refuseChangedServer(identity, identityOf(await this.session.info(either)), ['runId', 'role']);
    const ask = this.session.within(either);
    const ms = Math.ceil(within.remainingMs()) + SERVER_GRACE_MS;
    this.#begun = true;
    await ask('pausing writes', ['CLIENT', 'PAUSE', String(ms), 'WRITE']);
    await this.#writer?.begin(ask);
  }

  /** What shows that it holds. Throws proof-failed when it does not any more. */
  async fact(within: StepContext): Promise<Readonly<Record<string, string>>> {
    const writer = this.#writer;
    if (writer === undefined) throw new StillpointError('internal', 'the pause was not prepared');
    return { writes: await writer.fact(this.session.within(within)) };
  }

  /** Lets writes go on. */
  async end(within: StepContext): Promise<void> {
    if (!this.#begun) return;
    await this.session.within(within)('letting writes go on', ['CLIENT', 'UNPAUSE']);
    this.#begun = false;
  }

  async dispose(): Promise<void> {
    await this.#writer?.close();
    this.#writer = undefined;
  }
}

function notInTime(seconds: number): StillpointError {
  return new StillpointError('freeze-timeout', `the server did not pause writes within ${seconds} s`, {
    hint: 'it is busy with a long command, script or fork: look at SLOWLOG GET, or choose a quieter hour',
  });
}
