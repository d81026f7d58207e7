/**
 * What a guard does by one order: connected before anything is frozen, it looks on, and undoes the freeze when nobody
 * else does (safety rule 8). Its deadline is by its own clock, from when it first saw the freeze: clocks of two machines
 * are never compared, and an API server that does not answer stops nothing.
 */
import type { Held } from '../src/contract';
import { orAborted, timeLimit } from './abort';
import type { EngineGuard, GuardSession, Target } from './engine';
import { asStillpointError, StillpointError } from './errors';
import type { Clock, Events, GuardOrder, GuardPost, Log } from './ports';
import { undoInRounds } from './undo-rounds';

/** How often the server is looked at. */
const LOOK_MS = 250;

/**
 * How long after the budget: the runner lets go by itself when that is over. With a look and the undoing it stays within
 * the 5 s of safety rule 8.
 */
const GRACE_MS = 2_000;

/** How long one question to the server may take before it counts as not answered. */
const QUESTION_LIMIT_MS = 3_000;

/** How long a connection may take to come about. */
const CONNECT_LIMIT_MS = 10_000;

/** How long putting everything back at one server may take before it is tried anew. */
const UNDO_LIMIT_MS = 10_000;

/** How long a guard that has to leave goes on trying: a later run finds in the record what it could not undo. */
const LEAVE_LIMIT_MS = 30_000;

/** One server of an order, and what leads to it. */
export interface Reach {
  readonly held: Held;
  readonly guard: EngineGuard;
  readonly target: Target;
  /** How long undoing it may take on top of what one that answers at once needs. */
  readonly extraMs?: number;
}

export interface GuardWatchContext {
  readonly post: GuardPost;
  readonly reach: readonly Reach[];
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the guard itself is told to stop. */
  readonly signal: AbortSignal;
}

/** Watches over one order until it stands no more, or until all is undone and the guard has to leave. */
export async function watchOver(order: GuardOrder, context: GuardWatchContext): Promise<void> {
  const watch = new GuardWatch(order, context);
  try {
    await watch.run();
  } finally {
    await watch.close();
  }
}

class GuardWatch {
  readonly #order: GuardOrder;
  readonly #context: GuardWatchContext;
  readonly #servers: Server[];
  /** Since when something is held, as seen from here. */
  #since: number | undefined;
  /** Why the freeze has to end; once there is a reason, whatever is held is undone as soon as it is seen. */
  #why: string | undefined;
  #undone = false;
  #armed = false;
  #leavingSince: number | undefined;
  #complaint = '';
  readonly #done: string[] = [];

  constructor(order: GuardOrder, context: GuardWatchContext) {
    this.#order = order;
    this.#context = context;
    this.#servers = context.reach.map((reach) => new Server(reach, context));
  }

  async run(): Promise<void> {
    const { post } = this.#context;
    while (post.order === this.#order) {
      const holds = await this.#look();
      this.#why ??= this.#reason(holds);
      if (this.#why === undefined) this.#arm();
      else if (holds === true || !this.#undone) await this.#undo(this.#why);
      if (this.#mayLeave()) return;
      await post.pause(LOOK_MS);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
  }

  /** Whether it has to leave, and has nothing more to do or has tried for long enough. */
  #mayLeave(): boolean {
    const { post, signal, clock } = this.#context;
    if (!signal.aborted && !post.ended) return false;
    this.#leavingSince ??= clock.monotonic();
    return this.#undone || clock.monotonic() - this.#leavingSince >= LEAVE_LIMIT_MS;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#context.post.answer(this.#order, { state: 'armed' });
    this.#context.log.info({ id: this.#order.id }, `armed: watching over ${membersOf(this.#order)}`);
  }

  /** Whether anything is held; undefined when one of the servers cannot be asked. */
  async #look(): Promise<boolean | undefined> {
    try {
      const answers = await Promise.all(this.#servers.map((server) => server.holds()));
      return answers.includes(true);
    } catch (thrown) {
      this.#cannotSee(asStillpointError(thrown));
      return undefined;
    }
  }

  /** The runner has to know: what it holds is not guarded. Whatever is held is undone as soon as it can be. */
  #cannotSee(error: StillpointError): void {
    const { post } = this.#context;
    this.#complain(error);
    if (this.#why !== undefined) return;
    this.#why = `it could not watch over ${membersOf(this.#order)}: ${error.message}`;
    post.answer(this.#order, { state: 'unable', why: this.#why });
  }

  #reason(holds: boolean | undefined): string | undefined {
    const { post, signal, clock } = this.#context;
    if (signal.aborted) return 'it was told to stop itself';
    if (post.runnerGone) return `the runner ${this.#order.pod ?? ''} is gone`;
    if (holds !== true) this.#since = undefined;
    else this.#since ??= clock.monotonic();
    const { budgetMs } = this.#order;
    const over = this.#since !== undefined && clock.monotonic() - this.#since >= budgetMs + GRACE_MS;
    return over ? `the budget of ${budgetMs / 1000} s was over` : undefined;
  }

  async #undo(why: string): Promise<void> {
    const { post, clock, log, events } = this.#context;
    try {
      const { runnerEnded } = post;
      const done = (await undoInRounds(this.#servers, (server) => server.undo(runnerEnded))).flat();
      if (this.#undone && done.length === 0) return;
      this.#undone = true;
      this.#done.push(...done);
      const forGood = this.#servers.every((server) => server.undoneForGood);
      const at = clock.now().toISOString();
      post.answer(this.#order, { state: 'acted', why, at, done: [...this.#done], ...(forGood ? { forGood } : {}) });
      log.warn({ id: this.#order.id, done }, `undone, because ${why}`);
      const said = done.length === 0 ? 'nothing was held any more' : done.join('; ');
      const message = `Guard of backup ${this.#order.id}: ${why}: ${said}`;
      // For people who look: the database is not to wait for it.
      void events.emit('Warning', 'GuardActed', message).catch(() => log.warn({}, `no Event: ${message}`));
    } catch (thrown) {
      this.#complain(asStillpointError(thrown));
    }
  }

  /** Once, however often it is tried. */
  #complain({ code, message }: StillpointError): void {
    if (this.#complaint === message) return;
    this.#complaint = message;
    this.#context.log.warn({ code }, message);
  }
}

/** One server, and the connection to it: made anew as often as it breaks. */
class Server {
  readonly #reach: Reach;
  readonly #context: GuardWatchContext;
  #session: GuardSession | undefined;
  /** Another server has its place: what was held has gone with the one that it was held at. */
  #replaced = false;
  #undone = false;
  #undoneForGood = false;

  constructor(reach: Reach, context: GuardWatchContext) {
    this.#reach = reach;
    this.#context = context;
  }

  get held(): Held {
    return this.#reach.held;
  }

  get undoneForGood(): boolean {
    return this.#undoneForGood;
  }

  /** What nobody can see is held from when the runner says so until it is undone here. */
  async holds(): Promise<boolean> {
    const unseen = (): boolean => this.#context.post.begun && !this.#undone;
    const answer = await this.#ask(
      QUESTION_LIMIT_MS,
      async (session, signal) => (await session.holds(signal)) ?? unseen(),
    );
    return answer ?? false;
  }

  async undo(runnerEnded: boolean): Promise<readonly string[]> {
    const ms = UNDO_LIMIT_MS + (this.#reach.extraMs ?? 0);
    const done = (await this.#ask(ms, (session, signal) => session.undo(signal))) ?? [];
    this.#undone = true;
    // Where there was nothing to undo, what the runner had asked for may be on its way still.
    if (runnerEnded && done.length > 0 && this.#session?.isOneChange === true) this.#undoneForGood = true;
    return done;
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close().catch(() => undefined);
  }

  /** Asks on the connection, which is made where there is none; undefined when that server is no more. */
  async #ask<T>(
    ms: number,
    question: (session: GuardSession, signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    if (this.#replaced) return undefined;
    try {
      if (this.#session?.lost.aborted === true) throw this.#session.lost.reason;
      const session = this.#session ?? (await this.#open());
      this.#session = session;
      return await this.#within(ms, (signal) => question(session, signal));
    } catch (thrown) {
      await this.close();
      // What outlives its server has not gone with it: another one there is no reason to do nothing.
      const { outlivesServer } = this.#reach.held;
      if (asStillpointError(thrown).code !== 'server-changed' || outlivesServer === true) throw thrown;
      this.#replaced = true;
      return undefined;
    }
  }

  #open(): Promise<GuardSession> {
    const { held, guard, target } = this.#reach;
    return this.#within(CONNECT_LIMIT_MS, (signal) => {
      const opening = guard.open(target, held, this.#context.log, signal);
      // One that comes when nobody waits for it any more is not left open.
      opening.then((late) => (signal.aborted ? late.close() : undefined)).catch(() => undefined);
      return opening;
    });
  }

  async #within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    using limit = timeLimit(
      this.#context.clock,
      ms,
      () =>
        new StillpointError('server-unreachable', `${this.#reach.held.member} did not answer within ${ms / 1000} s`),
    );
    return await orAborted(work(limit.signal), limit.signal);
  }
}

function membersOf({ held }: GuardOrder): string {
  return held.map(({ member }) => member).join(', ');
}
