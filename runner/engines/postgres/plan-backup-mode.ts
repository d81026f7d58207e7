/**
 * Layout `backup-mode`: the volumes are cut one after the other, so the copy is consistent only together with the log
 * from its start to its stop and the label that says so. All on one session, in the order of PostgreSQL's own rules:
 *
 *   1. a temporary slot, which keeps the server from recycling the log that the copy will need
 *   2. backup mode, with an immediate checkpoint
 *   3. the tablespaces and the data directory are cut
 *   4. the end of backup mode: it gives backup_label and tablespace_map, kept byte for byte
 *   5. only now the volume with the log is cut: it holds all that was written up to step 4
 *
 * Where the log lies on the data volume, that volume is the one of step 5: its snapshot holds data and log at one
 * instant, and the log covers the tablespaces from step 2 on. That needs a store whose snapshots are of one instant.
 *
 * Step 4 does not wait for the archive: the log that the copy needs is in step 5, whether or not there is an archive,
 * and an archive that lags must not hold a backup up.
 *
 * PostgreSQL never stands still in all this. What ends when the session ends: slot and backup mode (safety rule 8).
 */
import type { Plan, PlanRequest, PlanResults, PlanStep, StepContext } from '../../engine';
import { StillpointError } from '../../errors';
import { byRole } from '../../plan-request';
import type { PostgresSession } from './session';

const CREATE_SLOT = 'SELECT slot_name FROM pg_create_physical_replication_slot($1, true, true)';
const DROP_SLOT = 'SELECT pg_drop_replication_slot($1)::text';
const LSN_DIFFERENCE = 'SELECT pg_wal_lsn_diff($1::pg_lsn, $2::pg_lsn)::text AS bytes';

/** Recovery trusts pg_control for how far a standby's copy has to be replayed: nothing may be copied after it. */
const COPIED_LAST = ['global/pg_control'];

/** Plans a backup in backup mode. */
export function planInBackupMode(session: PostgresSession, request: PlanRequest): Plan {
  return new BackupModePlan(session, request);
}

class BackupModePlan implements Plan {
  readonly layout = 'backup-mode';
  readonly freezes = 'log-recycling';
  readonly statement =
    'one session was in backup mode from before the first cut until all data were cut, and held the log from its start until that was cut; the backup label completes the copy';
  readonly steps: readonly PlanStep[];
  readonly #slot: string;
  readonly #label: string;
  #holdsSlot = false;
  #inBackupMode = false;
  #start = '';
  #stop = '';
  #timeline = '';
  #artifacts: Readonly<Record<string, string>> = {};

  constructor(
    private readonly session: PostgresSession,
    request: PlanRequest,
  ) {
    this.#label = `stillpoint ${request.id}`;
    // The process id keeps two policies of one server apart that work in the same second.
    this.#slot = `stillpoint_${request.id}_${session.pid}`;
    const { before, after } = cutOrder(request, session.server.identity.role === 'standby');
    const cut = (volumes: readonly string[]): PlanStep => ({
      kind: 'cut',
      volumes,
      how: 'individually',
      copyLast: COPIED_LAST,
    });
    this.steps = [
      { kind: 'act', name: 'hold the log', run: (within) => this.#holdLog(within) },
      { kind: 'act', name: 'enter backup mode', freezes: true, run: (within) => this.#enter(within) },
      ...before.map(cut),
      { kind: 'act', name: 'leave backup mode', run: (within) => this.#leave(within) },
      cut(after),
    ];
  }

  readonly observe = async (within: StepContext): Promise<Readonly<Record<string, string>>> => {
    const facts = await this.session.observe(within);
    this.#timeline = facts.timeline;
    return { ...facts, slot: await this.#slotFact(within) };
  };

  /** Ends what is still held. When that fails, the session is ended instead: the server drops both with it. */
  readonly thaw = async (within: StepContext): Promise<void> => {
    if (!this.session.usable) return;
    try {
      if (this.#inBackupMode) await this.#stopBackup(within);
      if (this.#holdsSlot) await this.session.row(within, 'dropping the slot', DROP_SLOT, [this.#slot]);
      this.#holdsSlot = false;
      await this.session.disarm(within);
    } catch (error) {
      this.session.abandon(error instanceof Error ? error : new Error(String(error)));
    }
  };

  /** `lsn` is the least that the copy holds: it has to be replayed up to the stop. */
  readonly results = (): PlanResults => ({
    position: {
      lsn: this.#stop,
      startLsn: this.#start,
      stopLsn: this.#stop,
      timeline: this.#timeline,
    },
    artifacts: this.#artifacts,
    warnings: [],
  });

  async #holdLog(within: StepContext): Promise<void> {
    await this.session.row(within, `making the slot ${this.#slot}`, CREATE_SLOT, [this.#slot]);
    this.#holdsSlot = true;
  }

  async #enter(within: StepContext): Promise<void> {
    const { startBackup } = this.session.server.dialect;
    const [row] = await this.session.unbounded(within, 'entering backup mode', startBackup, [this.#label]);
    this.#inBackupMode = true;
    this.#start = row?.lsn ?? '';
  }

  async #leave(within: StepContext): Promise<void> {
    const { lsn, labelfile, spcmapfile } = await this.#stopBackup(within).catch(notHeld);
    this.#stop = lsn ?? '';
    const label = labelfile ?? '';
    if (!label.includes(`START WAL LOCATION: ${this.#start} `) || !label.includes(`LABEL: ${this.#label}\n`)) {
      throw new StillpointError(
        'proof-failed',
        `the backup that ended at ${this.#stop} is not the one of this session`,
      );
    }
    const map = spcmapfile ?? '';
    this.#artifacts = { backup_label: label, ...(map === '' ? {} : { tablespace_map: map }) };
  }

  /** What it answers is the proof that backup mode has held until here: on any other session the call is an error. */
  async #stopBackup(within: StepContext): ReturnType<PostgresSession['row']> {
    const ended = await this.session.row(within, 'leaving backup mode', this.session.server.dialect.stopBackup);
    this.#inBackupMode = false;
    return ended;
  }

  /** The slot is there, belongs to this session, and still holds the log from the start of the backup on. */
  async #slotFact(within: StepContext): Promise<string> {
    const sql = `
      SELECT restart_lsn::text AS "from", ${this.session.server.dialect.slotState} AS state
        FROM (VALUES (1)) AS one LEFT JOIN pg_replication_slots
          ON slot_name = $1 AND active_pid = pg_backend_pid()`;
    const { from, state } = await this.session.row(within, 'looking at the slot', sql, [this.#slot]);
    if (typeof from !== 'string' || state === 'lost' || state === 'unreserved') {
      throw new StillpointError('proof-failed', `the slot ${this.#slot} no longer holds the log (${state ?? 'gone'})`, {
        hint: 'max_slot_wal_keep_size is too small for what is written during a backup',
      });
    }
    const { bytes } = await this.session.row(within, 'comparing positions', LSN_DIFFERENCE, [from, this.#start]);
    if (Number(bytes) > 0) {
      throw new StillpointError('proof-failed', `the slot holds the log from ${from}, after the start ${this.#start}`);
    }
    return `${this.#slot} holds the log from ${from}`;
  }
}

/** The server refuses to end a backup that it does not know any more: one of a standby that was promoted meanwhile. */
function notHeld(error: unknown): never {
  if (!(error instanceof StillpointError) || error.code !== 'freeze-failed') throw error;
  throw new StillpointError('proof-failed', `backup mode did not hold until all data were cut: ${error.message}`, {
    hint: 'the server was promoted or restarted meanwhile; run the backup again',
    cause: error,
  });
}

/**
 * What is cut in backup mode, step by step, and what after it. The snapshot of a standby's data volume has to be
 * younger than those of its tablespaces: pg_control lies there.
 */
export function cutOrder(
  { volumes }: Pick<PlanRequest, 'volumes'>,
  standby: boolean,
): { readonly before: readonly (readonly string[])[]; readonly after: readonly string[] } {
  const { data, log, tablespace } = byRole(volumes);
  if (log.length === 0) return { before: tablespace.length === 0 ? [] : [tablespace], after: data };
  const inOrder = standby ? [tablespace, data] : [[...tablespace, ...data]];
  return { before: inOrder.filter((names) => names.length > 0), after: log };
}
