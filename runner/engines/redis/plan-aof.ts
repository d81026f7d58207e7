/**
 * A copy of the append-only files: writes are paused, what was acknowledged is synced, the volumes are cut. The server's
 * default, `appendfsync everysec`, acknowledges writes up to a second before they are on disk; setting it to `always` syncs
 * the file in the server's own main thread before the answer comes.
 */
import type { Held } from '../../../src/contract';
import type { Plan, PlanRequest, PlanResults, PlanStep, StepContext } from '../../engine';
import { StillpointError } from '../../errors';
import { cutsTogether } from '../../plan-request';
import { letGo } from './let-go';
import { Pause } from './pause';
import { waitUntilIdle } from './persistence';
import { type Position, placeInCluster, positionOf, writesOf } from './position';
import { catchUp, type Lag } from './replica';
import type { Info } from './replies';
import type { RedisSession } from './session';
import { assertUnchanged, change, OURS, settingsBefore, undoOf } from './settings';

export class AppendOnlyPlan implements Plan {
  readonly layout: string;
  readonly freezes = 'writes' as const;
  readonly statement =
    'writes were paused from before the position was read until after the last cut, as a client that was held up all the time shows, and what had been acknowledged was synced before the first';
  readonly steps: readonly PlanStep[];
  readonly held: readonly Held[];
  readonly #pause: Pause;
  readonly #undo: Held['undo'];
  #changed = false;
  #position: Position = {};
  #lag: Lag = { position: {}, warnings: [] };

  constructor(
    private readonly session: RedisSession,
    request: PlanRequest,
  ) {
    const { endpoint, server } = session;
    this.layout = cutsTogether(request) ? 'group' : 'atomic';
    this.#pause = new Pause(session);
    this.#undo = undoOf(server.settings, server.identity.runId ?? '', session.target.connection.sentinel !== undefined);
    const { host, port } = endpoint;
    this.held =
      Object.keys(this.#undo).length === 0 ? [] : [{ member: `${host}:${port}`, host, port, undo: this.#undo }];
    this.steps = [
      { kind: 'act', name: 'wait for rewrites', run: (within) => this.#waitForRewrites(within) },
      { kind: 'act', name: 'hold off rewrites', run: (within) => this.#holdOffRewrites(within) },
      { kind: 'act', name: 'pause writes', freezes: true, run: (within) => this.#pause.begin(within) },
      { kind: 'act', name: 'sync the append-only file', run: (within) => this.#sync(within) },
      {
        kind: 'cut',
        volumes: request.volumes.map(({ name }) => name),
        how: cutsTogether(request) ? 'together' : 'individually',
      },
    ];
  }

  /** No write went in between, no rewrite began, the settings are ours still, and writes wait. */
  readonly observe = async (within: StepContext): Promise<Readonly<Record<string, string>>> => {
    const info = await this.session.info(within);
    return {
      ...(await this.session.observe(within, info)),
      ...writesOf(info),
      rewrites: `${info.aof_rewrites ?? ''} done, ${info.aof_rewrite_in_progress ?? ''} at work`,
      ...(await this.#settingFacts(within)),
      ...(await this.#pause.fact(within)),
    };
  };

  readonly thaw = async (within: StepContext): Promise<void> => {
    try {
      if (!this.#changed) return;
      await letGo(this.session, this.#undo, within);
      this.#changed = false;
    } finally {
      await this.#pause.dispose();
    }
  };

  readonly results = (): PlanResults => ({
    position: {
      mode: 'aof',
      exact: 'true',
      ...this.#position,
      ...this.#lag.position,
      ...placeInCluster(this.session.node),
    },
    artifacts: {},
    warnings: this.#lag.warnings,
  });

  /** One that is at work may take long, and the guard's deadline begins with the first setting that is ours. */
  async #waitForRewrites(within: StepContext): Promise<void> {
    await this.#pause.prepare(within);
    this.#lag = await catchUp(this.session, within);
    await waitUntilIdle(() => this.session.info(within), within.signal);
  }

  async #holdOffRewrites(within: StepContext): Promise<void> {
    const ask = this.session.within(within);
    await assertUnchanged(ask, this.session.server.settings);
    this.#changed = true;
    const { appendfsync: _, ...settings } = this.#ourSettings();
    await change(ask, settings);
    await waitUntilIdle(() => this.session.info(within), within.signal);
  }

  async #sync(within: StepContext): Promise<void> {
    const ask = this.session.within(within);
    const { appendfsync } = settingsBefore(this.#undo);
    if (appendfsync !== undefined) await change(ask, { appendfsync: OURS.appendfsync });
    const info = await this.session.info(within);
    if (appendfsync !== undefined) await change(ask, { appendfsync });
    assertSynced(info);
    this.#position = positionOf(info, this.session.server.dialect, true);
  }

  async #settingFacts(within: StepContext): Promise<Readonly<Record<string, string>>> {
    const names = Object.keys(OURS);
    const reply = await this.session.within(within)('reading settings of the server', ['CONFIG', 'GET', ...names]);
    const flat = Array.isArray(reply) ? reply.map(String) : [];
    return Object.fromEntries(names.map((name) => [name, flat[flat.indexOf(name) + 1] ?? '']));
  }

  #ourSettings(): Readonly<Record<string, string>> {
    const names = Object.keys(settingsBefore(this.#undo));
    return Object.fromEntries(Object.entries(OURS).filter(([name]) => names.includes(name)));
  }
}

/** By INFO, under the pause and `appendfsync always`: nothing is left to be written or synced, and nothing went wrong. */
function assertSynced(info: Info): void {
  const { aof_buffer_length: buffered, aof_pending_bio_fsync: pending, aof_last_write_status: status } = info;
  if (buffered === '0' && pending === '0' && status === 'ok') return;
  throw new StillpointError(
    'freeze-failed',
    `the append-only file is not on disk: ${buffered ?? ''} bytes to write, ${pending ?? ''} syncs to do, the last write was ${status ?? ''}`,
    { hint: 'the log of the server says why' },
  );
}
