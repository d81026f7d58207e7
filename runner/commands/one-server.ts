/**
 * One server, two policies: neither knows the other's Lease, and each could undo what the other holds, or keep clients
 * waiting for twice the budget. So a backup writes down that it is going to hold a server (the phase `freezing` of its
 * record) before it looks whether another one has done so: of two, at least one sees the other, and waits with nothing
 * held. That takes no right beyond those on records and pods.
 */
import type { BackupRecord } from '../../src/contract';
import { orAborted, timeLimit } from '../abort';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Clock, Log, Registry, Runners } from '../ports';
import { mayHold } from '../record';

/** What looking for others needs of the world. */
export interface OneServerContext {
  /** The database's namespace: policies are where their servers are. */
  readonly namespace: string;
  readonly registry: Registry;
  /** Undefined where runners of other runs cannot be looked at: there is nobody else. */
  readonly runners?: Runners | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** One backup's hold on a server. */
export interface Hold {
  readonly record: BackupRecord;
  /** The server's pod. Undefined: it is not known what else it is backed up by. */
  readonly podUid: string | undefined;
}

/** How a backup says that it is going to hold its server, and takes that back. */
export interface Announcement {
  announce(): Promise<void>;
  withdraw(): Promise<void>;
}

/** The other one holds its server for no longer than its budget, but may have to wait for its turn at the snapshot controller. */
const LIMIT_MS = 300_000;
const LOOK_MS = 2_000;

/** Whether a plan keeps others waiting, or leaves something that others could undo. Several may keep a log at a time. */
export function holdsOthersUp({ freezes = 'nothing', held = [] }: Pick<BackupRecord, 'freezes' | 'held'>): boolean {
  return held.length > 0 || (freezes !== 'nothing' && freezes !== 'log-recycling');
}

/**
 * Announces a hold, and answers when no other backup holds the server: none that comes later begins before this one has
 * ended. Throws backup-in-progress when the others take too long, freeze-left when one that is no more may hold it still.
 */
export async function claimServer(context: OneServerContext, hold: Hold, announcement: Announcement): Promise<void> {
  for (;;) {
    await announcement.announce();
    try {
      if (await isAlone(context, hold)) return;
    } catch (error) {
      // Nothing is held: what is announced would keep others away.
      await announcement.withdraw();
      throw error;
    }
    await announcement.withdraw();
    await untilOthersEnd(context, hold);
  }
}

/** Whether this backup, which is announced, may go on. Of two that see each other the younger withdraws, and the elder waits for it. */
async function isAlone(context: OneServerContext, hold: Hold): Promise<boolean> {
  const { working, left } = await othersAt(context, hold);
  if (left !== undefined) throw notUndone(left, hold);
  if (working.some((other) => order(other) < order(hold.record))) return false;
  await untilOthersEnd(context, hold);
  return true;
}

/** Waits until no other backup holds a server. Throws backup-in-progress when that takes too long. */
export async function untilOthersEnd(context: OneServerContext, hold: Hold): Promise<void> {
  const { clock, log } = context;
  let said: string | undefined;
  using limit = timeLimit(clock, LIMIT_MS, () => takesTooLong(said ?? 'another backup'));
  const signal = AbortSignal.any([limit.signal, context.signal]);
  for (;;) {
    const [other] = (await othersAt(context, hold)).working;
    if (other === undefined) return;
    if (said !== recordPath(other))
      log.info({ other: recordPath(other) }, `waits for backup ${recordPath(other)}, which holds this server`);
    said = recordPath(other);
    await orAborted(new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve)), signal);
  }
}

interface Others {
  /** Those that a runner or a guard is at work on. */
  readonly working: readonly BackupRecord[];
  /** One that nobody is at work on, and of which it is not known that what it held was undone. */
  readonly left: BackupRecord | undefined;
}

async function othersAt({ namespace, registry, runners }: OneServerContext, hold: Hold): Promise<Others> {
  const { podUid, record: own } = hold;
  if (podUid === undefined || runners === undefined) return { working: [], left: undefined };
  const found = [
    ...(await registry.list({ namespace, phases: ['freezing'] })),
    ...(await registry.list({ namespace, held: true })),
  ].map(({ record }) => record);
  const others = new Map(
    found
      .filter(({ database, workload }) => database !== own.database && workload?.podUid === podUid)
      .filter((record) => mayHold(record) || holdsOthersUp(record))
      .map((record) => [recordPath(record), record]),
  );
  const working: BackupRecord[] = [];
  let left: BackupRecord | undefined;
  for (const record of others.values()) {
    if (!(await runners.haveEnded(record.owner.jobUid))) working.push(record);
    else if (mayHold(record)) left = record;
  }
  return { working, left };
}

function order({ id, database }: BackupRecord): string {
  return `${id} ${database}`;
}

function takesTooLong(other: string): StillpointError {
  return new StillpointError('backup-in-progress', `${other} still holds this server after ${LIMIT_MS / 1000} s`, {
    hint: 'two policies back up one server: give them schedules apart from each other, or keep one of them',
  });
}

function notUndone(left: BackupRecord, { record }: Hold): StillpointError {
  const path = recordPath(left);
  return new StillpointError(
    'freeze-left',
    `backup ${path} of another policy, which has ended, may hold the server of ${record.database} still`,
    {
      hint: `undo it: stillpoint heal ${left.policy} -n ${left.namespace}; where that policy is no more: stillpoint delete ${path}`,
    },
  );
}
