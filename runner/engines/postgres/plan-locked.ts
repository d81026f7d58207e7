/**
 * A standstill, for a server that is one of several: in each database a session holds the locks of all tables
 * (table-locks.ts), what was committed is flushed, and then everything is cut at one instant. The copy needs crash recovery
 * as any cut of a running server does; the locks see to it that it ends with the last commit before they were taken.
 *
 * What has no lock on tables goes on: sequences, large objects, tables that are made meanwhile, the catalogues. The record
 * says so, and whether any transaction that has changed something has begun under the locks.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Plan, PlanRequest, PlanResults, PlanStep, StepContext } from '../../engine';
import type { PostgresSession } from './session';
import { TableLocks } from './table-locks';

/** A template that nobody may connect to has no writers. */
const DATABASES = 'SELECT datname::text AS name FROM pg_database WHERE datallowconn ORDER BY datname';

/** Written and flushed, whatever the settings say of commits: with it all that was committed before it. */
const FLUSH =
  "SELECT set_config('synchronous_commit', 'local', false), pg_logical_emit_message(true, 'stillpoint', $1)";

/** The number that the next transaction gets which changes something. */
const POSITION = `
  SELECT pg_current_wal_flush_lsn()::text AS lsn, txid_snapshot_xmax(txid_current_snapshot())::text AS "nextXid"`;

/** A session in each database, as a backup has them. */
export async function openTableLocks(session: PostgresSession, signal: AbortSignal): Promise<readonly TableLocks[]> {
  const rows = await session.rows('listing the databases', DATABASES, signal);
  const opened: TableLocks[] = [];
  try {
    for (const { name } of rows)
      opened.push(new TableLocks(name ?? '', await session.openIn(name ?? '', signal), pause));
    return opened;
  } catch (error) {
    await releaseAll(opened, signal);
    throw error;
  }
}

export async function releaseAll(locks: readonly TableLocks[], signal: AbortSignal): Promise<void> {
  await Promise.all(locks.map((one) => one.release({ signal, remainingMs: () => 0 })));
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

export class LockedPlan implements Plan {
  readonly layout: string;
  readonly freezes = 'writes' as const;
  readonly statement =
    'in every database one session held all tables locked against writes from before the position was read until after the last cut, and what had been committed was on disk before the first; sequences, large objects and tables made meanwhile are not held';
  readonly steps: readonly PlanStep[];
  #locks: readonly TableLocks[] = [];
  #lsn = '';
  #nextXid = '';
  #nextXidAfter = '';

  constructor(
    private readonly session: PostgresSession,
    private readonly request: PlanRequest,
  ) {
    const together = request.volumes.length > 1;
    this.layout = together ? 'group' : 'locked';
    this.steps = [
      { kind: 'act', name: 'connect to every database', run: (within) => this.#connect(within) },
      { kind: 'act', name: 'lock all tables', freezes: true, run: (within) => this.#lock(within) },
      { kind: 'act', name: 'flush what was committed', run: (within) => this.#flush(within) },
      { kind: 'cut', volumes: request.volumes.map(({ name }) => name), how: together ? 'together' : 'individually' },
      { kind: 'act', name: 'look for other changes', run: (within) => this.#lookForChanges(within) },
    ];
  }

  readonly observe = async (within: StepContext): Promise<Readonly<Record<string, string>>> => {
    const facts: Record<string, string> = { ...(await this.session.observe(within)) };
    for (const locks of this.#locks) facts[`locks of ${locks.database}`] = await locks.fact(within);
    return facts;
  };

  readonly thaw = async (within: StepContext): Promise<void> => {
    const locks = this.#locks;
    this.#locks = [];
    await releaseAll(locks, within.signal);
    if (this.session.usable) await this.session.disarm(within).catch((error: Error) => this.session.abandon(error));
  };

  readonly results = (): PlanResults => ({
    position: { lsn: this.#lsn, nextXid: this.#nextXid, timeline: this.session.server.identity.timeline },
    artifacts: {},
    warnings:
      this.#nextXidAfter === this.#nextXid
        ? []
        : [
            `while the tables were locked, transactions ${this.#nextXid} to ${Number(this.#nextXidAfter) - 1} changed something that no lock holds (a sequence, a new table, a catalogue): it may be in the copy`,
          ],
  });

  async #connect({ signal }: StepContext): Promise<void> {
    this.#locks = await openTableLocks(this.session, signal);
    for (const { lost } of this.#locks) {
      // The session of the backup stands for all of them: without one of the locks there is no backup.
      lost.addEventListener('abort', () => this.#locks.length > 0 && this.session.abandon(lost.reason as Error), {
        once: true,
      });
    }
  }

  async #lock(within: StepContext): Promise<void> {
    for (const locks of this.#locks) await locks.take(within);
  }

  async #flush(within: StepContext): Promise<void> {
    await this.session.row(within, 'flushing what was committed', FLUSH, [this.request.id]);
    const { lsn, nextXid } = await this.session.row(within, 'reading the position', POSITION);
    this.#lsn = lsn ?? '';
    this.#nextXid = nextXid ?? '';
  }

  async #lookForChanges(within: StepContext): Promise<void> {
    const { nextXid } = await this.session.row(within, 'reading the position after', POSITION);
    this.#nextXidAfter = nextXid ?? '';
  }
}
