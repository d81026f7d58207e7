/**
 * A copy of a dump: the server forks, and its child writes the memory as it was in that moment. Writes are paused for the
 * fork alone, so that the position is exactly that of the dump; or, where the user asks for it, until the dump is cut, so that
 * nothing is acknowledged that the copy has not.
 */

import { changedFacts } from '../../changed-facts';
import type { Plan, PlanRequest, PlanResults, PlanStep, StepContext } from '../../engine';
import { StillpointError } from '../../errors';
import { cutsTogether } from '../../plan-request';
import { letGo } from './let-go';
import { Pause } from './pause';
import { dumpsOf, waitForDump, waitUntilIdle } from './persistence';
import { type Position, placeInCluster, positionBetween, writesOf } from './position';
import { catchUp, type Lag } from './replica';
import type { Info } from './replies';
import type { RedisSession } from './session';

/** The longest that the pause for the fork alone may last, should the runner be gone in it. */
const FORK_LIMIT_MS = 5_000;

export class DumpPlan implements Plan {
  readonly layout: string;
  readonly freezes: Plan['freezes'];
  readonly pausesBriefly: boolean;
  readonly statement: string;
  readonly steps: readonly PlanStep[];
  readonly #pause: Pause;
  #position: Position = {};
  #lag: Lag = { position: {}, warnings: [] };
  #forkedAt = '';
  #dumpsBefore = 0;
  /** How many of those since then are this backup's. */
  #ours = 0;

  constructor(
    private readonly session: RedisSession,
    request: PlanRequest,
    private readonly paused: boolean,
  ) {
    this.layout = cutsTogether(request) ? 'group' : 'atomic';
    this.freezes = paused ? 'writes' : 'nothing';
    this.pausesBriefly = !paused;
    this.statement = paused
      ? 'writes were paused from before the dump began until after the last cut, as a client that was held up all the time shows'
      : 'the server had written a whole dump of the recorded position before the first cut, and no other until after the last; what was acknowledged after the dump began is not in it';
    this.#pause = new Pause(session);
    this.steps = [
      { kind: 'act', name: 'wait for other dumps', run: (within) => this.#prepare(within) },
      { kind: 'act', name: 'begin a dump', freezes: paused, run: (within) => this.#begin(within) },
      { kind: 'act', name: 'wait for the dump', run: (within) => this.#finish(within) },
      ...(session.server.dialect.sinceSeven ? [] : [this.#againStep()]),
      ...(paused ? [] : [this.#renewStep()]),
      {
        kind: 'cut',
        volumes: request.volumes.map(({ name }) => name),
        how: cutsTogether(request) ? 'together' : 'individually',
      },
    ];
  }

  /** The dump on the volume is ours, still; under the pause also that no write went in between. */
  readonly observe = async (within: StepContext): Promise<Readonly<Record<string, string>>> => {
    const info = await this.session.info(within);
    this.#refuseAnother(info);
    return {
      ...(await this.session.observe(within, info)),
      dumps: dumpsOf(info),
      dumpedAt: info.rdb_last_save_time ?? '',
      ...(this.paused ? { ...writesOf(info), ...(await this.#pause.fact(within)) } : {}),
    };
  };

  readonly thaw = async (within: StepContext): Promise<void> => {
    try {
      if (this.#pause.begun) await letGo(this.session, {}, within);
    } finally {
      await this.#pause.dispose();
    }
  };

  readonly results = (): PlanResults => ({
    position: {
      mode: this.paused ? 'rdb-paused' : 'rdb',
      exact: 'true',
      dumpBegun: this.#forkedAt,
      ...this.#position,
      ...this.#lag.position,
      ...placeInCluster(this.session.node),
    },
    artifacts: {},
    warnings: [
      ...this.#lag.warnings,
      ...(this.paused
        ? []
        : [`what was acknowledged after ${this.#forkedAt}, when the dump began, is not in the copy`]),
    ],
  });

  async #prepare(within: StepContext): Promise<void> {
    await this.#pause.prepare(within);
    await waitUntilIdle(() => this.session.info(within), within.signal);
    this.#lag = await catchUp(this.session, within);
  }

  /** Between the position and the fork no write goes through: the dump is exactly at the position. */
  async #begin(within: StepContext): Promise<void> {
    await this.#pause.begin(this.paused ? within : { ...within, remainingMs: () => FORK_LIMIT_MS });
    // Sent at once: nothing of others comes between them.
    const [before, , after] = await Promise.all([
      this.session.info(within),
      this.session.within(within)('beginning a dump', ['BGSAVE']),
      this.session.info(within),
    ]);
    this.#dumpsBefore = Number(dumpsOf(before));
    this.#position = positionBetween(before, after, this.session.server.dialect);
    this.#forkedAt = serverTime(before);
    const changed = changedFacts(writesOf(before), writesOf(after));
    if (changed.length > 0) {
      throw new StillpointError('proof-failed', `under the pause ${changed.join(' and ')}`, {
        hint: 'somebody else has sent CLIENT UNPAUSE: run the backup again',
      });
    }
    if (!this.paused) await this.#pause.end(within);
  }

  async #finish(within: StepContext): Promise<void> {
    await waitForDump(() => this.session.info(within), this.#dumpsBefore, within.signal);
    this.#ours++;
  }

  /** Each dump of the server takes the place of the one before: the position is that of ours. */
  #isOurs(info: Info): boolean {
    return Number(dumpsOf(info)) === this.#dumpsBefore + this.#ours;
  }

  /**
   * A dump keeps nobody waiting, so the turn is waited for after it, and that may take longer than the server waits with its next
   * one. Then it is made anew, in the turn.
   */
  #renewStep(): PlanStep {
    return {
      kind: 'act',
      name: 'begin the dump anew if the server has written another',
      takesTurn: true,
      run: async (within) => {
        if (this.#isOurs(await this.session.info(within))) return;
        await this.#prepare(within);
        this.#ours = 0;
        await this.#begin(within);
        await this.#finish(within);
      },
    };
  }

  #refuseAnother(info: Info): void {
    if (this.#isOurs(info)) return;
    throw new StillpointError('proof-failed', 'the server has written another dump since ours began', {
      hint: 'its own save points (CONFIG GET save) or somebody had it do so: run the backup again, or take mode rdb-paused',
    });
  }

  /**
   * A server that does not sync the name of a new dump may lose it in a crash, and have the one before. Under the pause a second
   * one is the same, and the sync of its content brings to disk what the file system did before: whichever of the two a cut holds.
   */
  #againStep(): PlanStep {
    return {
      kind: 'act',
      name: 'write the dump again',
      run: async (within) => {
        const before = await this.session.info(within);
        await this.session.within(within)('beginning the dump again', ['BGSAVE']);
        await waitForDump(() => this.session.info(within), Number(dumpsOf(before)), within.signal);
        this.#ours++;
      },
    };
  }
}

/** The server's own clock. */
function serverTime({ server_time_usec: usec = '0' }: Readonly<Record<string, string>>): string {
  return new Date(Number(usec) / 1000).toISOString();
}
