/**
 * A client of our own that is held up by the pause as every writer is: sent right after the pause began and still without an
 * answer after the last cut, it shows by the server's own word that writes waited all the time between. Not every server says
 * in INFO that it is paused, and none says since when.
 *
 * What it sends is a message to a channel that nobody listens to: it changes no data, needs no right on any, and waits as
 * writes do, since it may go to replicas.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { StillpointError } from '../../errors';
import { Connection } from './connection';
import { clientOf, textOf } from './replies';
import type { Ask } from './settings';

/** The channel; a backup's user needs the right on it. */
export const CHANNEL = 'stillpoint';

const MESSAGE = ['PUBLISH', CHANNEL, 'a backup asks whether writes wait'] as const;

/** How often, and how many times, the server is asked whether it has the message by now. */
const POLL_MS = 5;
const POLLS = 400;

/** How long a message of our own may take where nothing is paused before the server is asked for it, and how often that is. */
const THROUGH_MS = 1_000;
const THROUGH_TRIES = 20;

/** A writer, connected and ready. */
export class WaitingWriter {
  #answered = false;

  private constructor(
    private readonly connection: Connection,
    private readonly id: string,
  ) {}

  /** Connects to the very server that is going to be paused. */
  static async open(target: Target, endpoint: Endpoint, signal: AbortSignal): Promise<WaitingWriter> {
    const connection = await Connection.open(target, endpoint, signal);
    try {
      return new WaitingWriter(connection, String(await connection.ask('asking for its id', ['CLIENT', 'ID'], signal)));
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /**
   * Whether the server lets writers through. One that does not answer in a while is asked whether it holds the message up: it may
   * as well be slow, and a paused server is not to be mistaken for one. What neither answers nor holds up in all the tries is
   * taken for paused.
   */
  async getsThrough(ask: Ask): Promise<boolean> {
    const answered = this.#send().then(() => true);
    for (let tries = 0; tries < THROUGH_TRIES; tries++) {
      if (await Promise.race([answered, delay(THROUGH_MS, false, { ref: false })])) return true;
      if (await this.#waits(ask)) return false;
    }
    return false;
  }

  /** Sends the message, and sees it wait. Throws freeze-failed where it does not. */
  async begin(ask: Ask): Promise<void> {
    // Of a pause before this one there is an answer.
    this.#answered = false;
    this.#send().catch(() => undefined);
    for (let polls = 0; polls < POLLS; polls++) {
      if (await this.#waits(ask)) return;
      if (this.#answered) break;
      await delay(POLL_MS);
    }
    throw new StillpointError('freeze-failed', 'a write got through although the server was told to pause writes', {
      hint: 'somebody else has sent CLIENT UNPAUSE in that moment: run the backup again',
    });
  }

  /** The fact for the proof: this very client waits, still. Throws proof-failed when it does not. */
  async fact(ask: Ask): Promise<string> {
    if (!this.#answered && (await this.#waits(ask))) return `paused: client ${this.id} has been waiting since`;
    throw new StillpointError(
      'proof-failed',
      `the pause of writes ended before its time: client ${this.id} got through`,
      {
        hint: 'somebody else has sent CLIENT UNPAUSE, or the guard has: run the backup again',
      },
    );
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  async #send(): Promise<void> {
    await this.connection.ask('sending a message to nobody', MESSAGE);
    this.#answered = true;
  }

  async #waits(ask: Ask): Promise<boolean> {
    const listed = textOf(await ask('asking whether writers wait', ['CLIENT', 'LIST', 'ID', this.id]));
    const { flags = '', cmd = '' } = clientOf(listed);
    return flags.includes('b') && cmd.startsWith('publish');
  }
}
