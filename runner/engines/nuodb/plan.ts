/**
 * A backup of a storage manager as a plan for the executor: its archive stands still, archive and journal are cut, and the
 * archive goes on. Transactions go on meanwhile where the archiving is paused (hotsnap): what they commit is in the journal.
 *
 * That the archive stood still to the end is said by the hooks when they are told to end: only if they do so without
 * complaint, what was cut is a backup.
 */
import type { Held } from '../../../src/contract';
import { orAborted, timeLimit } from '../../abort';
import { systemClock } from '../../clock';
import type { Plan, PlanRequest, PlanResults, PlanStep, StepContext } from '../../engine';
import { asStillpointError, StillpointError } from '../../errors';
import { cutsTogether, refuseProblems } from '../../plan-request';
import { requestProblems } from './checks';
import { type FreezeMode, freezeModeOf, meaningOf } from './freeze-mode';
import { currentIn, type HookAnswer } from './hooks';
import type { NuoDbSession } from './session';

/** Plans a request on a session. Throws what speaks against the request in itself. */
export function planBackup(session: NuoDbSession, request: PlanRequest): Plan {
  refuseProblems(requestProblems(request, session.mode));
  return new NuoDbPlan(session, request);
}

/** The hooks may wait for the threads of the engine, or for a file system to be written out. */
const BEGIN_LIMIT_MS = 20_000;

/** By how much the hooks outlast the budget before they let go by themselves. */
const TIMEOUT_EXTRA_SECONDS = 2;

class NuoDbPlan implements Plan {
  readonly layout: string;
  readonly freezes: Plan['freezes'];
  readonly atOneInstant: boolean;
  readonly statement: string;
  readonly steps: readonly PlanStep[];
  readonly held: readonly Held[];
  readonly #session: NuoDbSession;
  readonly #id: string;
  readonly #mode: FreezeMode;
  /** What became of the request to begin; undefined as long as none was sent, and when nothing is held any more. */
  #begun: Promise<HookAnswer> | undefined;
  readonly #life = new AbortController();
  /** How often it was seen to be at work: before the first cut, and after the last. */
  #seen = 0;

  constructor(session: NuoDbSession, request: PlanRequest) {
    const { id, volumes } = request;
    const together = cutsTogether(request);
    this.#session = session;
    this.#id = id;
    this.#mode = freezeModeOf(request, session.mode);
    const { freezes, held } = meaningOf(this.#mode, volumes.length);
    this.layout = together ? 'group' : volumes.length > 1 ? 'held' : 'atomic';
    this.freezes = freezes;
    this.atOneInstant = together;
    this.statement = `${held}${freezes === 'nothing' ? '' : ' from before the first cut until after the last'}; its backup hooks said before and after that this backup was at work, and ended it without complaint`;
    this.held = [this.#heldOf()];
    this.steps = [
      { kind: 'act', name: 'begin the backup at the hooks', freezes: true, run: this.#begin },
      { kind: 'cut', volumes: volumes.map(({ name }) => name), how: together ? 'together' : 'individually' },
    ];
  }

  readonly #begin = async ({ signal, remainingMs }: StepContext): Promise<void> => {
    const seconds = Math.ceil(remainingMs() / 1000) + TIMEOUT_EXTRA_SECONDS;
    // Not with the signal: what was sent takes effect all the same, and the thaw has to know of it.
    this.#begun = this.#session.hooks.begin(this.#id, seconds, this.#life.signal);
    using limit = timeLimit(systemClock, BEGIN_LIMIT_MS, () => tooSlow(this.#session.hooks.where, BEGIN_LIMIT_MS));
    const { status, message } = await orAborted(this.#begun, AbortSignal.any([signal, limit.signal]));
    if (status >= 200 && status < 300) return;
    // Refused: what is at work there is another one's.
    if (status === 400) this.#begun = undefined;
    throw new StillpointError(
      status === 400 && message.startsWith('Backup ID file') ? 'freeze-left' : 'freeze-failed',
      `the backup hooks at ${this.#session.hooks.where} refused to begin backup ${this.#id}: ${message} (${status})`,
      { hint: 'the log of their container says more: kubectl logs <pod> -c backup-hooks' },
    );
  };

  readonly observe = async ({ signal }: StepContext): Promise<Readonly<Record<string, string>>> => {
    const current = await this.#session.hooks.current(signal);
    if (current === this.#id) {
      this.#seen++;
      return { backup: this.#id };
    }
    throw new StillpointError(
      'proof-failed',
      `the backup hooks at ${this.#session.hooks.where} say that ${current === undefined ? 'no backup' : `backup ${current}`} is at work, not ${this.#id} any more`,
      {
        hint: 'somebody has ended it, its time was up, or the storage manager was started anew: take the backup again',
      },
    );
  };

  readonly thaw = async ({ signal }: StepContext): Promise<void> => {
    const begun = this.#begun;
    if (begun === undefined) return;
    const unanswered = await orAborted(
      begun.then(() => undefined, asStillpointError),
      signal,
    ).catch((thrown: unknown) => {
      this.#life.abort(thrown);
      return asStillpointError(thrown);
    });
    // The executor's own signal may have ended with the wait; what is left is one request.
    using limit = timeLimit(systemClock, END_LIMIT_MS, () => stillHeld(this.#session.hooks.where, 'no answer in time'));
    const { status, message } = await this.#session.hooks.end(this.#id, limit.signal);
    if (status === 200) {
      this.#begun = undefined;
      return;
    }
    if (status === 400 && unanswered !== undefined) throw mayStillBegin(this.#session.hooks.where, unanswered);
    // It is not held any more, and was not until it was ended.
    if (status !== 400 && status !== 500) throw stillHeld(this.#session.hooks.where, `${message} (${status})`);
    this.#begun = undefined;
    // What has failed already is no backup anyway.
    if (this.#seen < 2) return;
    throw endedBefore(this.#session.hooks.where, this.#id, { status, message });
  };

  readonly results = (): PlanResults => ({
    position: { backupId: this.#id, mode: this.#mode, exact: 'false' },
    artifacts: {},
    warnings: [],
  });

  #heldOf(): Held {
    const { host, port, where } = this.#session.hooks;
    return { member: `backup hooks at ${where}`, host, port, undo: { backup: this.#id } };
  }
}

/** How long the hooks may take to let go. */
const END_LIMIT_MS = 10_000;

/** What they have answered says neither that it is over nor that it never was. */
function stillHeld(where: string, why: string): StillpointError {
  return new StillpointError('thaw-failed', `the archive may still be held by the backup hooks at ${where}: ${why}`, {
    hint: 'they let go by themselves when the budget is over, or the guard ends it; by hand: POST /post-backup/<id>',
  });
}

function tooSlow(where: string, ms: number): StillpointError {
  return new StillpointError('freeze-timeout', `the backup hooks at ${where} did not answer within ${ms / 1000} s`, {
    hint: 'the log of their container says what they wait for',
  });
}

function endedBefore(where: string, id: string, { status, message }: HookAnswer): StillpointError {
  const now = currentIn(message);
  const why =
    now === undefined ? `${message} (${status})` : `${now === 'None' ? 'none' : `backup ${now}`} was at work by then`;
  return new StillpointError(
    'proof-failed',
    `the backup hooks at ${where} did not end backup ${id} as they should: ${why}`,
    {
      hint: 'the archive went on before that: its time was up, somebody has ended it, or the storage manager was started anew',
    },
  );
}

function mayStillBegin(where: string, { message }: StillpointError): StillpointError {
  return new StillpointError(
    'thaw-failed',
    `whether the backup hooks at ${where} have begun is not known: ${message}`,
    {
      hint: 'should they, they end it by themselves when the budget is over, or the guard does',
    },
  );
}
