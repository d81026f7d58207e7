/**
 * Rehearses the freeze of a backup: the checks, the freeze, the proof and the thaw, and no snapshot in between. It runs
 * through the same executor as a backup, under the same rules: the Lease, the budget, the guard where one is needed.
 */
import { type BackupRecord, type HeldUndone, leaseName } from '../../src/contract';
import type { Plan } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { isError } from '../findings';
import { type FrozenOutcome, runFrozen } from '../frozen';
import { engineOfAll, lostOf } from '../member';
import { shortTime } from '../output/duration';
import { recordPath } from '../output/records';
import type { ArmedGuard, Finding, SnapshotStore, StoredRecord } from '../ports';
import { type Preflight, preflight } from '../preflight';
import { freezingRecord, pendingRecord, undoneRecord } from '../record';
import { type BackupContext, budgetMs } from './backup-context';
import { type Claimed, claim } from './claim';
import { holdsOthersUp, isOfAHeldServer } from './one-server';
import { underLease } from './under-lease';
import { heldRecords } from './undo-held';

/**
 * What the checks have found, and what a rehearsal shows where they let one be. That another policy held the server is no
 * reason against it: it waits for that, and checks anew.
 */
export async function rehearsed(checks: readonly Finding[], context: BackupContext): Promise<readonly Finding[]> {
  const errors = checks.filter(isError);
  if (!errors.every(isOfAHeldServer)) return checks;
  const shown = await rehearse(context);
  const isFree = shown.every(({ severity }) => severity === 'ok');
  if (isFree) return [...checks.filter((each) => !errors.includes(each)), ...shown];
  // Told once. What is left of an earlier backup of its own is another matter, with another remedy.
  const told = errors.map(({ code }) => code);
  return [...checks, ...shown.filter((each) => !isOfAHeldServer(each) || !told.includes(each.code))];
}

/** What the rehearsal showed. Never throws: what goes wrong is a finding. */
export async function rehearse(context: BackupContext): Promise<readonly Finding[]> {
  const { config, namespace } = context;
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
      const books = await Books.open(held);
      try {
        return [{ severity: 'ok', code: 'ok', subject, message: await claimStep(held, books) }];
      } finally {
        await books.close();
      }
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

/** As a backup: from here on no other policy holds the server, and each waits for the other. */
async function claimStep(context: BackupContext, books: Books): Promise<string> {
  const claimed = await claim(context, books.record, {
    check: () => preflight(context, context.run.id),
    announce: (found, plan) => books.announce(found, plan),
    withdraw: () => books.withdraw(),
  });
  await using _found = claimed.found;
  await books.arm(claimed.plan);
  return await freezeStep(context, claimed, books);
}

async function freezeStep(context: BackupContext, { found, plan }: Claimed, books: Books): Promise<string> {
  const { config, run, clock, log, signal, store } = context;
  const began = clock.monotonic();
  let frozenMs = 0;
  const lost = found.members.map(lostOf);
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
    signal: AbortSignal.any([signal, ...lost, ...(books.guard === undefined ? [] : [books.guard.lost])]),
    onHold: async () => await books.guard?.begin(),
    onThawed: () => books.thawed(),
    request: { id: run.id, database: config.spec.database, labels: {}, annotations: {} },
  });
  return await told(context, plan, outcome, frozenMs);
}

/**
 * What keeps others waiting, or outlives its session, goes on record before there is any of it, as with a backup (safety
 * rules 2 and 8), and a guard is armed; afterwards the record is on its way out, since there is no backup: the next prune
 * removes it.
 */
class Books {
  readonly #context: BackupContext;
  /** It says that nothing is held. From this phase alone a runner may have a record removed (src/record-guard.ts). */
  readonly record: BackupRecord;
  #stored: StoredRecord | undefined;
  #held: NonNullable<Plan['held']> = [];
  #undone: HeldUndone | undefined;
  guard: ArmedGuard | undefined;

  private constructor(context: BackupContext, record: BackupRecord) {
    this.#context = context;
    this.record = record;
  }

  static async open(context: BackupContext): Promise<Books> {
    const { config, sources, run, clock, platform, namespace, runnerVersion } = context;
    const engine = engineOfAll(sources);
    const about = { engine, namespace, runnerVersion, clusterUid: await platform.clusterUid() };
    return new Books(context, { ...pendingRecord(config, run, clock.now(), about), phase: 'freezing' });
  }

  /** Where nobody else would see it and all ends with the session, nothing is written down. */
  async announce(found: Preflight, plan: Plan): Promise<void> {
    const { held = [] } = plan;
    if (held.length === 0 && (this.#context.runners === undefined || !holdsOthersUp(plan))) return;
    await this.#write(freezingRecord(this.record, found, plan, []));
  }

  async withdraw(): Promise<void> {
    if (this.#stored !== undefined) await this.#write(this.record);
  }

  async arm({ held = [] }: Plan): Promise<void> {
    const { run, config, guards, signal } = this.#context;
    if (held.length === 0) return;
    const { jobUid, pod } = run.owner;
    this.guard = await guards?.arm({ id: run.id, jobUid, pod, held, budgetMs: budgetMs(config) }, signal);
    this.#held = held;
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

  /** What may be held without a thaw stays on record, so that somebody undoes it. Never throws. */
  async close(): Promise<void> {
    if (this.#stored === undefined || (this.#held.length > 0 && this.#undone === undefined)) return;
    const { record } = this.#stored;
    const ended = this.#undone === undefined ? this.record : undoneRecord(record, this.#undone);
    try {
      await this.#write({ ...ended, phase: 'deleting' });
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      this.#context.log.warn({ id: record.id, code }, `the record of the rehearsal stays: ${message}`);
    }
  }

  async #write(record: BackupRecord): Promise<void> {
    const { registry } = this.#context;
    this.#stored =
      this.#stored === undefined ? await registry.create(record) : await registry.update(this.#stored, record);
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
