/**
 * Undoes what outlives the sessions of runners that are gone: what their records list as held, and not as undone. A guard
 * has usually done it long before (safety rule 8); then it is only written down who did.
 */
import { isIP } from 'node:net';
import type { BackupRecord, Held, HeldUndone, SnapshotConfig } from '../../src/contract';
import { orAborted, timeLimit } from '../abort';
import { asStillpointError, StillpointError } from '../errors';
import { type Member, type MemberSource, serverOf, sourceOf } from '../member';
import { recordPath } from '../output/records';
import { guardOf, targetOf, undoExtraMs } from '../outside';
import type { Clock, GuardReport, Guards, Log, Outside, Platform, Registry, Runners, StoredRecord } from '../ports';
import { mayHold, undoneRecord } from '../record';
import { undoInRounds } from '../undo-rounds';
import { haveOneInCommon, serversOf, untilOthersEnd } from './one-server';

/** How long one server may take. */
const UNDO_LIMIT_MS = 30_000;

export interface UndoHeldContext {
  readonly config: SnapshotConfig;
  /** The database's namespace. */
  readonly namespace: string;
  readonly sources: readonly MemberSource[];
  readonly platform: Platform;
  readonly outside?: Outside | undefined;
  readonly registry: Registry;
  readonly guards?: Guards | undefined;
  /** Undefined where runners of other runs cannot be looked at. */
  readonly runners?: Runners | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A record of which nothing is held any more. */
export interface Undone {
  readonly record: BackupRecord;
  readonly undone: HeldUndone;
}

/** A record of which something may be held still. */
export interface NotUndone {
  readonly record: BackupRecord;
  readonly error: StillpointError;
}

export function isNotUndone(each: Undone | NotUndone): each is NotUndone {
  return 'error' in each;
}

/** All records of a database of which something may still be held. */
export function heldRecords({ registry, namespace, config }: UndoHeldContext): Promise<readonly StoredRecord[]> {
  return registry.list({ namespace, database: config.spec.database, held: true });
}

/** Undoes what is held of a database, whoever began it: only who has its Lease may do so. */
export async function undoHeld(
  context: UndoHeldContext,
  by: HeldUndone['by'],
): Promise<readonly (Undone | NotUndone)[]> {
  const results: (Undone | NotUndone)[] = [];
  for (const stored of await heldRecords(context)) results.push(await undoHeldOf(context, stored, by));
  return results;
}

/** Undoes what is held of one backup, and writes down who did. Never throws. */
export async function undoHeldOf(
  context: UndoHeldContext,
  stored: StoredRecord,
  by: HeldUndone['by'],
): Promise<Undone | NotUndone> {
  const { registry, log } = context;
  const { record } = stored;
  try {
    // Another policy of the same server may hold it now: that would be undone as well.
    await untilOthersEnd(context, { record, servers: serversOf(record) });
    const now = await asItIsNow(context, stored);
    if (!mayHold(now.record)) return { record: now.record, undone: undoneMeanwhile(context, now) };
    const undone = await undo(context, now, by);
    const said = undone.done.length === 0 ? 'nothing was held any more' : undone.done.join('; ');
    log.warn({ id: record.id, by: undone.by }, `what backup ${record.id} held is undone: ${said}`);
    return { record: (await registry.update(now, undoneRecord(now.record, undone))).record, undone };
  } catch (thrown) {
    const error = asStillpointError(thrown);
    log.error({ id: record.id, code: error.code }, `what backup ${record.id} holds is not undone: ${error.message}`);
    return { record, error };
  }
}

/**
 * The record as it is by now: others may have been waited for, and meanwhile another one may have undone it, and hold the
 * server since. Throws backup-in-progress where the next pod of its Job holds it anew.
 */
async function asItIsNow({ registry }: UndoHeldContext, stored: StoredRecord): Promise<StoredRecord> {
  const { namespace, database, id, owner } = stored.record;
  const now = (await registry.get(namespace, database, id)) ?? stored;
  if (now.record.owner.pod === owner.pod || !mayHold(now.record)) return now;
  throw new StillpointError(
    'backup-in-progress',
    `pod ${now.record.owner.pod} has begun backup ${id} again meanwhile`,
    {
      hint: 'what is held now is its own: wait until it has ended',
    },
  );
}

function undoneMeanwhile({ clock }: UndoHeldContext, { record: { heldUndone } }: StoredRecord): HeldUndone {
  return heldUndone ?? { at: clock.now().toISOString(), by: 'later-run', done: [] };
}

/**
 * Undoes what a backup of another policy has left at a server of this one, as if it were its own. What a group has left is
 * the group's: who reaches its members, the other policy knows.
 */
export async function undoHeldOfOther(
  context: UndoHeldContext,
  members: readonly Member[],
  stored: StoredRecord,
): Promise<Undone | NotUndone> {
  const { record } = stored;
  const here = members.find((member) => haveOneInCommon([serverOf(member)], serversOf(record)));
  if (here !== undefined && record.held?.some(({ of }) => of !== undefined) !== true)
    return await undoHeldOf({ ...context, sources: [here.source] }, stored, 'later-run');
  const message = `backup ${recordPath(record)} of another policy may hold servers that this policy does not reach`;
  const hint = `stillpoint heal ${record.policy} -n ${record.namespace}`;
  return { record, error: new StillpointError('freeze-left', message, { hint }) };
}

async function undo(context: UndoHeldContext, stored: StoredRecord, by: HeldUndone['by']): Promise<HeldUndone> {
  const { record } = stored;
  const report = await reportOn(context, record);
  const whose = await letGoBy(context, record);
  if (whose !== undefined) return letGo(context, record, whose, report);
  const all = (record.held ?? []).map((held) => ({ held }));
  const outcomes = await undoInRounds(all, ({ held }) => undoAt(context, held).catch(failedAt(held)));
  const failed = outcomes.filter(isFailed);
  const found = outcomes.filter((each): each is UndoneAt => !isFailed(each));
  const [first] = failed;
  if (first !== undefined) {
    if (found.length > 0) await keepHeld(context, stored, failed);
    throw first.error;
  }
  const done = found.flatMap((each) => each.done);
  const byGuard = report !== undefined && !found.some(({ wasHeld }) => wasHeld);
  return {
    at: byGuard ? report.at : context.clock.now().toISOString(),
    by: byGuard ? 'guard' : by,
    done: [...(report?.done ?? []), ...done],
  };
}

/** What is in force by then is somebody else's: the servers are not looked at. */
async function letGoBy(
  { guards, log }: UndoHeldContext,
  { id, owner }: BackupRecord,
): Promise<'runner' | 'guard' | undefined> {
  try {
    return await guards?.letGoBy({ id, jobUid: owner.jobUid, pod: owner.pod });
  } catch (thrown) {
    log.warn({ id }, `whether all was let go is not known: ${asStillpointError(thrown).message}`);
    return undefined;
  }
}

/** As the runner would have written it down (backup.ts). */
function letGo(
  { clock }: UndoHeldContext,
  { held = [] }: BackupRecord,
  by: 'runner' | 'guard',
  report: GuardReport | undefined,
): HeldUndone {
  const done = held.map(({ member }) => `${member} was thawed`);
  return { at: report?.at ?? clock.now().toISOString(), by, done: report?.done ?? done };
}

/** What the guard says is worth knowing, not worth failing for: the servers are looked at unless it proves that all was let go. */
async function reportOn({ guards, log }: UndoHeldContext, record: BackupRecord): Promise<GuardReport | undefined> {
  const { id, owner } = record;
  return await guards?.reportOn({ id, jobUid: owner.jobUid }).catch((thrown: unknown) => {
    log.warn({ id }, `what the guard did is not known: ${asStillpointError(thrown).message}`);
    return undefined;
  });
}

interface FailedAt {
  readonly held: Held;
  readonly error: unknown;
}

function isFailed(each: UndoneAt | FailedAt): each is FailedAt {
  return 'error' in each;
}

const failedAt =
  (held: Held) =>
  (error: unknown): FailedAt => ({ held, error });

/** What is undone is not undone once more: a lock that is there then is somebody else's. */
async function keepHeld(
  { registry, log }: UndoHeldContext,
  stored: StoredRecord,
  left: readonly FailedAt[],
): Promise<void> {
  const { record } = stored;
  await registry.update(stored, { ...record, held: left.map(({ held }) => held) }).catch((thrown: unknown) => {
    log.warn({ id: record.id }, `what is undone of it could not be written down: ${asStillpointError(thrown).message}`);
  });
}

interface UndoneAt {
  readonly done: readonly string[];
  /** Whether something was in force until now. */
  readonly wasHeld: boolean;
}

/** At one server. A server that is gone has taken along what was held at it, but for what is said to outlive it. */
async function undoAt(context: UndoHeldContext, held: Held): Promise<UndoneAt> {
  const { sources, clock, log, signal } = context;
  const source = sourceOf(sources, held);
  const target = await targetOf(held, source);
  const guard = guardOf(held, source, context);
  if (guard === undefined) throw new StillpointError('internal', `the engine ${source.engine.name} undoes nothing`);
  const limitMs = UNDO_LIMIT_MS + undoExtraMs(held, source);
  using limit = timeLimit(
    clock,
    limitMs,
    () => new StillpointError('server-unreachable', `${held.member} did not answer within ${limitMs / 1000} s`),
  );
  const either = AbortSignal.any([signal, limit.signal]);
  try {
    const session = await guard.open(target, held, log, either);
    try {
      const seen = await orAborted(session.holds(either), either);
      const done = await orAborted(session.undo(either), either);
      // Of what nobody can see it is not known: that something was done says nothing.
      return { done, wasHeld: seen !== undefined && done.length > 0 };
    } finally {
      await session.close().catch(() => undefined);
    }
  } catch (thrown) {
    // What outlives its server is still to be undone, where that is: whoever answers here instead says nothing of it.
    if (held.outlivesServer === true) throw thrown;
    const { code } = asStillpointError(thrown);
    if (code === 'server-changed' || (code === 'server-unreachable' && (await isGone(context, held))))
      return gone(held);
    throw thrown;
  }
}

/** A server that does not answer is gone when nothing runs at its address. Of a name one cannot tell. */
async function isGone({ platform }: UndoHeldContext, { host }: Held): Promise<boolean> {
  return isIP(host) !== 0 && (await platform.placeOf(host)) === undefined;
}

function gone({ member }: Held): UndoneAt {
  return { done: [`the server ${member} is gone, and with it what was held there`], wasHeld: false };
}
