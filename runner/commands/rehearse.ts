/**
 * Rehearses the freeze of a backup: the checks, the freeze, the proof and the thaw, and no snapshot in between. It runs
 * through the same executor as a backup, under the same rules: the Lease, the budget, the guard where one is needed.
 */
import { type BackupRecord, type HeldUndone, leaseName } from '../../src/contract';
import type { Plan } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import { type FrozenOutcome, runFrozen } from '../frozen';
import { engineOfAll, lostOf } from '../member';
import { shortTime } from '../output/duration';
import { recordPath } from '../output/records';
import type { ArmedGuard, Finding, SnapshotStore, StoredRecord } from '../ports';
import { type Preflight, preflight } from '../preflight';
import { freezingRecord, pendingRecord, undoneRecord } from '../record';
import { type BackupContext, budgetMs } from './backup-context';
import { planMissing } from './backup-errors';
import { underLease } from './under-lease';
import { heldRecords } from './undo-held';

/** What the rehearsal showed. Never throws: what goes wrong is a finding. */
export async function rehearse(context: BackupContext): Promise<readonly Finding[]> {
  const { config, namespace, run } = context;
  const { database } = config.spec;
  const subject = `freeze of ${namespace}/${database}`;
  if (context.sources.some(({ config: { offline } }) => offline !== undefined)) {
    const message = 'not rehearsed: this policy stops what it backs up, and a rehearsal is not worth a downtime';
    return [
      { severity: 'warning', code: 'offline-unsuitable', subject, message, hint: 'a backup shows what it takes' },
    ];
  }
  try {
    return await underLease(context, leaseName(database), async (held) => {
      await nothingHeldStep(held);
      await using found = await preflight(held, run.id);
      refuseOnErrors(found.findings);
      return [await freezeStep(held, found, subject)];
    });
  } catch (thrown) {
    const { code, message, hint } = asStillpointError(thrown);
    return [{ severity: 'error', code, subject, message, hint }];
  }
}

/** What another run has left in force would be taken for what is always so. */
async function nothingHeldStep(context: BackupContext): Promise<void> {
  const [left] = await heldRecords(context);
  if (left === undefined) return;
  throw new StillpointError('freeze-left', `what backup ${recordPath(left.record)} holds is not known to be undone`, {
    hint: `undo it first: stillpoint heal ${context.config.metadata.name} -n ${context.namespace}`,
  });
}

async function freezeStep(context: BackupContext, found: Preflight, subject: string): Promise<Finding> {
  const { config, run, clock, log, signal, store } = context;
  const plan = found.plan ?? planMissing();
  const books = await HeldBooks.open(context, found, plan);
  const began = clock.monotonic();
  let frozenMs = 0;
  const lost = found.members.map(lostOf);
  try {
    const outcome = await runFrozen(plan, {
      store: withoutCuts(store, () => {
        frozenMs ||= clock.monotonic() - began;
      }),
      volumes: found.volumes,
      jobUid: run.owner.jobUid,
      pod: run.owner.pod,
      budgetMs: budgetMs(config),
      clock,
      log,
      signal: AbortSignal.any([signal, ...lost, ...(books?.guard === undefined ? [] : [books.guard.lost])]),
      onHold: async () => await books?.guard?.begin(),
      onThawed: async () => await books?.thawed(),
      request: { id: run.id, database: config.spec.database, labels: {}, annotations: {} },
    });
    return { severity: 'ok', code: 'ok', subject, message: await told(context, plan, outcome, frozenMs) };
  } finally {
    await books?.close();
  }
}

/**
 * What outlives its session goes on record before there is any of it, as with a backup (safety rule 8), and a guard is
 * armed; afterwards the record is on its way out, since there is no backup: the next prune removes it.
 */
class HeldBooks {
  readonly #context: BackupContext;
  readonly #held: NonNullable<Plan['held']>;
  #stored: StoredRecord;
  #undone: HeldUndone | undefined;
  guard: ArmedGuard | undefined;

  private constructor(context: BackupContext, stored: StoredRecord, held: NonNullable<Plan['held']>) {
    this.#context = context;
    this.#stored = stored;
    this.#held = held;
  }

  /** Undefined where all ends with the session: then nothing is written down. */
  static async open(context: BackupContext, found: Preflight, plan: Plan): Promise<HeldBooks | undefined> {
    const { registry, config, sources, run, clock, platform, namespace, runnerVersion, guards, signal } = context;
    const { held = [] } = plan;
    if (held.length === 0) return undefined;
    const engine = engineOfAll(sources);
    const about = { engine, namespace, runnerVersion, clusterUid: await platform.clusterUid() };
    const pending = await registry.create(pendingRecord(config, run, clock.now(), about));
    const books = new HeldBooks(context, pending, held);
    try {
      await books.#write(freezingRecord(pending.record, found, plan, []));
      const { jobUid, pod } = run.owner;
      books.guard = await guards?.arm({ id: run.id, jobUid, pod, held, budgetMs: budgetMs(config) }, signal);
      return books;
    } catch (thrown) {
      // Nothing was begun.
      await books.thawed();
      await books.close();
      throw thrown;
    }
  }

  /** Nothing is held any more, by the runner's own doing or by the guard's. */
  async thawed(): Promise<void> {
    const { report } = this.guard ?? {};
    this.#undone = {
      at: report?.at ?? this.#context.clock.now().toISOString(),
      by: report === undefined ? 'runner' : 'guard',
      done: report?.done ?? this.#held.map(({ member }) => `${member} was thawed`),
    };
    await this.guard?.release();
  }

  /** Without a thaw the record stays as it is, so that somebody undoes it. Never throws. */
  async close(): Promise<void> {
    if (this.#undone === undefined) return;
    const { record } = this.#stored;
    try {
      await this.#write({ ...undoneRecord(record, this.#undone), phase: 'deleting' });
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      this.#context.log.warn({ id: record.id, code }, `the record of the rehearsal stays: ${message}`);
    }
  }

  async #write(record: BackupRecord): Promise<void> {
    this.#stored = await this.#context.registry.update(this.#stored, record);
  }
}

/** The store of a rehearsal: it is asked at the moments at which a backup asks, and cuts nothing. */
function withoutCuts(store: SnapshotStore, asked: () => void): SnapshotStore {
  return {
    atomic: store.atomic,
    names: (request) => store.names(request),
    check: (volumes, how) => store.check(volumes, how),
    cut: async () => {
      asked();
      return [];
    },
    ready: async () => [],
    discard: async () => [],
    find: async () => [],
  };
}

async function told(
  context: BackupContext,
  { freezes }: Plan,
  { windowMs }: FrozenOutcome,
  frozenMs: number,
): Promise<string> {
  const budget = `of a budget of ${shortTime(budgetMs(context.config))}`;
  const last = await lastWindow(context);
  const before = last === undefined ? '' : `; with its snapshots the last backup took ${shortTime(last)}`;
  if (freezes === 'nothing')
    return `nothing has to stand still; the session held and was let go in ${shortTime(windowMs)}`;
  return `${freezes} held for ${shortTime(windowMs)} ${budget}, after ${shortTime(frozenMs)} to come to it, proven and let go${before}`;
}

/** How long the database stood still under its last good backup: what the storage adds is the difference. */
async function lastWindow({ registry, namespace, config }: BackupContext): Promise<number | undefined> {
  const good = await registry.list({ namespace, database: config.spec.database, phases: ['succeeded'] });
  return good[0]?.record.freezeWindowMs;
}
