/**
 * A backup of MySQL or MariaDB as a plan for the executor: a lock on the session (none in mode `none`), the position,
 * the cut, and the release.
 *
 * `global` promises a position to the byte: no commit goes on between the position and the last cut, and what was
 * committed is on disk. `instance` and `none` let commits go on: their copy is what a crash would have left, its
 * position is no earlier than the one recorded, and reads exactly only from the copy.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Plan, PlanRequest, PlanResults, PlanStep, StepContext } from '../../engine';
import { StillpointError } from '../../errors';
import { cutsTogether, refuseProblems } from '../../plan-request';
import { numberOf } from './errors';
import { allowsReplica, modeOf, requestProblems } from './layout';
import { type Ask, needsFlush, needsFlushNow, type Position, readPosition } from './position';
import { readOpenTemporaryTables } from './replication';
import type { MySqlSession } from './session';
import { readLongStatements } from './state';
import { type Lock, type Mode, STAGE_REACHED } from './versions';

/** Plans a request on a session. Throws what speaks against the request in itself. */
export function planBackup(session: MySqlSession, request: PlanRequest): Plan {
  refuseProblems(requestProblems(request));
  const mode = modeOf(request);
  const lock = session.server.dialect.locks[mode];
  if (lock === undefined) throw new StillpointError('internal', `the server has no lock for mode ${mode}`);
  return new MySqlPlan(session, request, mode, lock);
}

const STATEMENTS: Readonly<Record<Mode, string>> = {
  none: 'all volumes were cut at one instant, while one session saw the same server before and after; crash recovery completes the copy',
  instance:
    'one session held off changes of tables from before the first cut until after the last; crash recovery completes the copy',
  global:
    'one session held off every commit from before the position was read until after the last cut, and what had been committed was on disk before the first',
};

/** What the checks would have warned of. */
const SET_MEANWHILE =
  'sync_binlog or innodb_flush_log_at_trx_commit was set to other than 1 while the backup was at work: the newest commits that clients were told of may not be in the copy, and it has no position';

/** How long a moment is waited for in which no statement is in the way, and how often it is looked for. */
const QUIET_LIMIT_MS = 20_000;
const QUIET_POLL_MS = 100;

const FREEZES: Readonly<Record<Mode, Plan['freezes']>> = {
  none: 'nothing',
  instance: 'table-definitions',
  global: 'writes',
};

class MySqlPlan implements Plan {
  readonly layout: string;
  readonly freezes: Plan['freezes'];
  readonly statement: string;
  readonly steps: readonly PlanStep[];
  #held = false;
  #position: Position = {};
  #warnings: readonly string[] = [];

  constructor(
    private readonly session: MySqlSession,
    private readonly request: PlanRequest,
    private readonly mode: Mode,
    private readonly lock: Lock,
  ) {
    const together = cutsTogether(request);
    // Several volumes one by one only go together under the lock on commits: see layout.ts.
    this.layout = together ? 'group' : request.volumes.length > 1 ? 'locked' : 'atomic';
    this.freezes = FREEZES[mode];
    this.statement = STATEMENTS[mode];
    const exact = mode === 'global';
    this.steps = [
      ...(lock.acquire.length === 0 ? [] : [this.#acquire()]),
      { kind: 'act', name: 'read the position', run: (within) => this.#readPosition(within, exact) },
      {
        kind: 'cut',
        volumes: request.volumes.map(({ name }) => name),
        how: together ? 'together' : 'individually',
      },
    ];
  }

  /** Under a lock on commits the position itself is a fact that must not change. */
  readonly observe = async (within: StepContext): Promise<Readonly<Record<string, string>>> => {
    const facts = { ...(await this.session.observe(within)), ...(await this.#lockFact(within)) };
    const now = await this.#readNow(within);
    this.#refuseOtherPosition(now);
    const { gtid, binlogFile, source, sourceGtid } = now;
    // Also without a lock: a replica that becomes a primary meanwhile is another server.
    const replicates = { ...facts, ...known({ source }) };
    return this.mode === 'global' ? { ...replicates, ...known({ gtid, binlogFile, sourceGtid }) } : replicates;
  };

  /** Releases what is held. When that fails, the session is ended instead: the server drops it with that. */
  readonly thaw = async (within: StepContext): Promise<void> => {
    if (!this.session.usable) return;
    try {
      if (this.#held) {
        for (const sql of this.lock.release) await this.session.rows(within, sql, sql);
      }
      this.#held = false;
      await this.session.disarm(within);
    } catch (error) {
      this.session.abandon(error instanceof Error ? error : new Error(String(error)));
    }
  };

  readonly results = (): PlanResults => ({
    position: { mode: this.mode, exact: String(this.mode === 'global'), ...this.#position },
    artifacts: {},
    warnings: this.#warnings,
  });

  /**
   * Takes the lock, statement by statement, each with the session's own lock_wait_timeout. When one does not come, the
   * connection is closed: to give up the statement alone leaves "Waiting for table flush" behind at the server.
   */
  #acquire(): PlanStep {
    return {
      kind: 'act',
      name: `lock (${this.mode})`,
      freezes: true,
      run: async (within) => {
        if (this.mode === 'global') await this.#waitForQuiet(within);
        this.#held = true;
        try {
          for (const sql of this.lock.acquire) await this.session.rows(within, sql, sql);
        } catch (error) {
          this.session.abandon(error instanceof Error ? error : new Error(String(error)));
          throw error;
        }
      },
    };
  }

  /**
   * MySQL's lock closes all tables, and a table that a statement is reading then stays closed to everybody until that
   * statement has ended, also when the lock was given up long before. So it begins in a moment without any statement
   * that has been at work for a second.
   */
  async #waitForQuiet(within: StepContext): Promise<void> {
    for (let tries = 1; ; tries++) {
      const [longest] = await readLongStatements(this.#ask(within), this.session.server, 1);
      if (longest === undefined) return;
      if (tries * QUIET_POLL_MS >= QUIET_LIMIT_MS) {
        throw new StillpointError(
          'long-running-statement',
          `in ${QUIET_LIMIT_MS / 1000} s there was no moment without a statement at work; that of user ${longest.user} on connection ${longest.id} has been for ${longest.seconds} s`,
          { hint: 'a lock would wait for it, and every write behind the lock: choose a quieter hour' },
        );
      }
      await delay(QUIET_POLL_MS, undefined, { signal: within.signal });
    }
  }

  /**
   * Where the settings let commits be acknowledged before they are on disk, the logs are flushed under the lock: the
   * binary log by closing its file, which syncs it, and the redo log. The position is that of the end of the closed
   * file: what a server writes into the new one by itself, it does not sync. Either reading of the settings counts, that of
   * the checks and that of now: what was committed in between may have been so under either.
   */
  async #readPosition(within: StepContext, exact: boolean): Promise<void> {
    const { server } = this.session;
    const position = await this.#readNow(within);
    this.#refuseNewReplica(position);
    const known = needsFlush(server);
    // After the position: were it read before, commits in between could be of other settings.
    const flush = known || (await needsFlushNow(this.#ask(within), server));
    if (flush && !exact) {
      // Without a lock to flush under, what such a server says is no bound: its disk may be behind.
      if (!known) this.#warnings = [SET_MEANWHILE];
      return;
    }
    this.#position = position;
    if (exact && position.source !== undefined) await this.#refuseTemporaryTables(within, position.source);
    if (!flush) return;
    await this.session.rows(within, 'flushing the binary log', 'FLUSH LOCAL BINARY LOGS');
    await this.session.rows(within, 'flushing the redo log', 'FLUSH LOCAL ENGINE LOGS');
  }

  /** A session outlives the failover that makes its server a replica: one that the policy has not asked for may be behind. */
  #refuseNewReplica({ source }: Position): void {
    if (source === undefined || allowsReplica(this.request)) return;
    throw new StillpointError(
      'server-changed',
      `since the backup looked at the server it has become a replica of ${source}`,
      { hint: 'a failover has happened meanwhile: run the backup again' },
    );
  }

  /** What an exact position names must be all that was committed at each observation, so also after the logs were flushed. */
  #refuseOtherPosition(now: Position): void {
    if (this.mode !== 'global') return;
    const [before, after] = [this.#position, now].map(
      ({ gtid, sourceGtid }) => [gtid, sourceGtid].filter((each) => each !== undefined).join(' and ') || 'nothing',
    );
    if (before === after) return;
    throw new StillpointError('proof-failed', `the position went from ${before} to ${after} under the lock`, {
      hint: 'report it: the lock did not hold what it should',
    });
  }

  async #refuseTemporaryTables(within: StepContext, source: string): Promise<void> {
    const open = await readOpenTemporaryTables(this.#ask(within), this.session.server);
    if (open === 0) return;
    throw new StillpointError(
      'server-unsafe',
      `the replica has ${open} temporary tables of statements of ${source}, which no snapshot holds and the next of its statements may need`,
      { hint: 'set binlog_format = ROW at the source, or take the backup at another hour' },
    );
  }

  #readNow(within: StepContext): Promise<Position> {
    return readPosition(this.#ask(within), this.session.server);
  }

  #ask(within: StepContext): Ask {
    return (what, sql) => this.session.rows(within, what, sql);
  }

  /** What shows on the session itself that its lock holds. */
  async #lockFact(within: StepContext): Promise<Readonly<Record<string, string>>> {
    if (this.lock.acquire.length === 0) return {};
    const { dialect } = this.session.server;
    if (dialect.flavour === 'mariadb') return { lock: await this.#reachedStage(within) };
    if (dialect.ownLocks === undefined) return {};
    const held = await this.session.rows(within, "reading the session's own locks", dialect.ownLocks);
    const lock = held.map(({ kind, type }) => `${kind} ${type}`).join(', ');
    const needed = this.mode === 'global' ? ['GLOBAL SHARED', 'COMMIT SHARED'] : ['BACKUP LOCK SHARED'];
    if (needed.every((one) => lock.includes(one))) return { lock };
    throw new StillpointError('proof-failed', `the session holds ${lock === '' ? 'no lock' : lock} any more`);
  }

  /** MariaDB shows no locks; it refuses a stage that the session has reached already, and only then. */
  async #reachedStage(within: StepContext): Promise<string> {
    const stage = this.lock.acquire.at(-1) ?? '';
    try {
      await this.session.rows(within, 'asking for the backup stage', stage);
    } catch (error) {
      if (error instanceof StillpointError && numberOf(error.cause) === STAGE_REACHED) return stage;
      throw error;
    }
    throw new StillpointError('proof-failed', `the session was no longer in ${stage}`, {
      hint: 'something has ended the backup stage meanwhile',
    });
  }
}

/** Only the facts that there are. */
function known(facts: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(facts).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
