/**
 * Layouts `atomic` and `group`: everything is cut at one instant, nothing is held. The copy is what a crash would have
 * left, and crash recovery makes it consistent. No backup_label belongs into it: with one, recovery would look for the
 * end of a backup that never began.
 */
import type { Plan, PlanRequest, PlanResults, PlanStep, StepContext } from '../../engine';
import { wantsCheckpoint } from './layout';
import type { PostgresSession } from './session';

/** On a primary what is surely on disk, on a standby what has been replayed; the second query gives the upper bound. */
const POSITION = {
  primary: { before: 'SELECT pg_current_wal_flush_lsn() AS lsn', after: 'SELECT pg_current_wal_insert_lsn() AS lsn' },
  standby: { before: 'SELECT pg_last_wal_replay_lsn() AS lsn', after: 'SELECT pg_last_wal_receive_lsn() AS lsn' },
} as const;

/** Plans one cut of all volumes at one instant. */
export function planAtInstant(session: PostgresSession, request: PlanRequest, layout: 'atomic' | 'group'): Plan {
  return new InstantPlan(session, request, layout);
}

class InstantPlan implements Plan {
  readonly freezes = 'nothing';
  readonly statement: string;
  readonly steps: readonly PlanStep[];
  #before = '';
  #after = '';
  #timeline = '';

  constructor(
    private readonly session: PostgresSession,
    request: PlanRequest,
    readonly layout: 'atomic' | 'group',
  ) {
    const together = layout === 'group';
    this.statement = `all volumes were cut at one instant${together ? ' by one group snapshot' : ''}, while one session saw the same server before and after; crash recovery completes the copy`;
    this.steps = [
      ...(wantsCheckpoint(request) ? [this.#checkpoint()] : []),
      { kind: 'act', name: 'read the position before', run: (within) => this.#readBefore(within) },
      {
        kind: 'cut',
        volumes: request.volumes.map(({ name }) => name),
        how: together ? 'together' : 'individually',
      },
      { kind: 'act', name: 'read the position after', run: (within) => this.#readAfter(within) },
    ];
  }

  readonly observe = async (within: StepContext): Promise<Readonly<Record<string, string>>> => {
    const facts = await this.session.observe(within);
    this.#timeline = facts.timeline;
    return facts;
  };

  /** Nothing is held; the session is let off its short leash. */
  readonly thaw = async (within: StepContext): Promise<void> => {
    if (this.session.usable) await this.session.disarm(within).catch((error: Error) => this.session.abandon(error));
  };

  /** `lsn` is the least that the copy holds: what was durable before the snapshot was asked for. */
  readonly results = (): PlanResults => ({
    position: { lsn: this.#before, lsnAfter: this.#after, timeline: this.#timeline },
    artifacts: {},
    warnings: [],
  });

  #checkpoint(): PlanStep {
    return {
      kind: 'act',
      name: 'checkpoint',
      run: async (within) => {
        await this.session.unbounded(within, 'the checkpoint', 'CHECKPOINT');
      },
    };
  }

  async #readBefore(within: StepContext): Promise<void> {
    this.#before = await this.#position(within, 'before');
  }

  async #readAfter(within: StepContext): Promise<void> {
    this.#after = await this.#position(within, 'after');
  }

  async #position(within: StepContext, when: 'before' | 'after'): Promise<string> {
    const role = this.session.server.identity.role === 'standby' ? 'standby' : 'primary';
    const { lsn } = await this.session.row(within, `reading the position ${when} the cut`, POSITION[role][when]);
    // A standby that reads an archive only has received nothing by streaming.
    return lsn ?? '';
  }
}
