/**
 * One server, two policies: neither knows the other's Lease, and each could undo what the other holds, or keep clients
 * waiting for twice the budget. So a backup writes down that it is going to hold a server (the phase `freezing` of its
 * record) before it looks whether another one has done so: of two, at least one sees the other, and waits with nothing
 * held. That takes no right beyond those on records and pods. So do two policies of one sharded cluster that hold different
 * servers of it: they have its balancer in common.
 */
import type { BackupRecord } from '../../src/contract';
import { orAborted, timeLimit } from '../abort';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import type { Clock, Finding, Log, Registry, Run, Runners, StoredRecord } from '../ports';
import { mayHold } from '../record';

/** What looking for others needs of the world. */
export interface OneServerContext {
  /** The database's namespace: policies are where their servers are. */
  readonly namespace: string;
  readonly registry: Registry;
  /** Undefined where runners of other runs cannot be looked at: there is nobody else. */
  readonly runners?: Runners | undefined;
  /** Whose Job looks: what an earlier pod of it has on record is nobody else's. */
  readonly run?: Pick<Run, 'owner'> | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** One backup's hold on a server. */
export interface Hold {
  readonly record: BackupRecord;
  readonly servers: readonly HeldServer[];
}

/** A server by its pod, which may have several of different engines; and by its cluster, where all servers of that have something in common. */
export interface HeldServer {
  readonly engine: string;
  readonly podUid: string;
  readonly cluster?: string | undefined;
}

/** The servers of a backup, as its record has them; none where it is of a version before. */
export function serversOf({ engine, workload, members }: BackupRecord): readonly HeldServer[] {
  const servers = members ?? [{ engine, workload, cluster: undefined }];
  return servers.flatMap(({ engine: own, workload: pod, cluster }) =>
    pod?.podUid === undefined
      ? []
      : [{ engine: own, podUid: pod.podUid, ...(cluster === undefined ? {} : { cluster }) }],
  );
}

/** Whether one of some servers is one of the others, or of the same cluster. */
export function haveOneInCommon(some: readonly HeldServer[], others: readonly HeldServer[]): boolean {
  return some.some((server) => others.some((other) => isSame(server, other)));
}

function isSame(one: HeldServer, other: HeldServer): boolean {
  if (one.engine !== other.engine) return false;
  return one.podUid === other.podUid || (one.cluster !== undefined && one.cluster === other.cluster);
}

/** How a backup says that it is going to hold its server, takes that back, and undoes what one has left that is no more. */
export interface Claim {
  announce(): Promise<void>;
  withdraw(): Promise<void>;
  /** Throws freeze-left. */
  undo(left: StoredRecord): Promise<void>;
}

/** The other one holds its server for no longer than its budget, but may have to wait for its turn at the snapshot controller. */
const LIMIT_MS = 300_000;
const LOOK_MS = 2_000;

/** Whether what a check has found may be another policy's doing: a hold, or what waits for its end. */
export function isOfAHeldServer({ severity, code }: Finding): boolean {
  return severity === 'error' && (code === 'freeze-left' || code === 'long-running-statement');
}

/**
 * Whether a plan keeps others waiting, be it for a moment, or leaves something that others could undo. Several may keep a log at a
 * time.
 */
export function holdsOthersUp({
  freezes = 'nothing',
  held = [],
  pausesBriefly = false,
}: Pick<BackupRecord, 'freezes' | 'held' | 'pausesBriefly'>): boolean {
  return held.length > 0 || pausesBriefly || (freezes !== 'nothing' && freezes !== 'log-recycling');
}

/**
 * Announces a hold, and answers whether no other backup holds the server: then none that comes later begins before this one
 * has ended. Else it has waited for them, and the server is another one than was checked. The eldest of those that met stays
 * announced meanwhile: were it not, the others would begin anew while it checks again, and nobody might ever come first.
 * Throws backup-in-progress when the others take too long.
 */
export async function claimServer(context: OneServerContext, hold: Hold, claim: Claim): Promise<boolean> {
  await claim.announce();
  // Nothing is held: what is announced without need would keep others away.
  let stays = false;
  try {
    stays = isFree(await othersAt(context, hold));
    if (stays) return true;
    // Of those that see each other the eldest waits for the others to give way, or to end; it may come while others wait.
    stays = isFree(await looking(context, hold, isDecided(hold)));
    if (stays) return false;
  } finally {
    if (!stays) await claim.withdraw();
  }
  await freeServer(context, hold, claim);
  return false;
}

/** Waits for the others at a server, and undoes what those have left that are no more; answers whether there were any. */
export async function freeServer(
  context: OneServerContext,
  hold: Hold,
  { undo }: Pick<Claim, 'undo'>,
): Promise<boolean> {
  const others = await othersAt(context, hold);
  for (const each of others.left) await undo(each);
  await untilOthersEnd(context, hold);
  return !isFree(others);
}

function isFree({ working, left }: Others): boolean {
  return working.length === 0 && left.length === 0;
}

function isDecided({ record }: Hold): (others: Others) => boolean {
  const isElder = (other: BackupRecord): boolean => order(other) < order(record);
  return ({ working, left }) => left.length > 0 || working.length === 0 || working.some(isElder);
}

/** Waits until no other backup holds a server. Throws backup-in-progress when that takes too long. */
export async function untilOthersEnd(context: OneServerContext, hold: Hold): Promise<void> {
  await looking(context, hold, ({ working }) => working.length === 0);
}

async function looking(context: OneServerContext, hold: Hold, isEnough: (others: Others) => boolean): Promise<Others> {
  const { clock, log } = context;
  let said: string | undefined;
  using limit = timeLimit(clock, LIMIT_MS, () => takesTooLong(said ?? 'another backup'));
  const signal = AbortSignal.any([limit.signal, context.signal]);
  for (;;) {
    const others = await othersAt(context, hold);
    if (isEnough(others)) return others;
    const waitsFor = others.working.map(recordPath).join(', ');
    if (said !== waitsFor) log.info({ waitsFor }, `waits for backup ${waitsFor}, which holds this server`);
    said = waitsFor;
    await orAborted(new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve)), signal);
  }
}

interface Others {
  /** Those that a runner or a guard is at work on. */
  readonly working: readonly BackupRecord[];
  /** Those that nobody is at work on, and of which it is not known that what they held was undone. */
  readonly left: readonly StoredRecord[];
}

async function othersAt({ namespace, registry, runners, run }: OneServerContext, hold: Hold): Promise<Others> {
  const others: { working: BackupRecord[]; left: StoredRecord[] } = { working: [], left: [] };
  if (runners === undefined) return others;
  const found = [
    ...(await registry.list({ namespace, phases: ['freezing'] })),
    ...(await registry.list({ namespace, held: true })),
  ].filter(({ record }) => record.owner.jobUid !== run?.owner.jobUid && isOther(record, hold));
  for (const stored of new Map(found.map((each) => [recordPath(each.record), each])).values()) {
    if (!(await runners.haveEnded(stored.record))) others.working.push(stored.record);
    else if (mayHold(stored.record)) others.left.push(stored);
  }
  return others;
}

/**
 * Whether a record is of something that others feel, by another policy of the same server, or by a newer run of the same
 * database: what an elder one has left is undone beside it otherwise, wherever its server runs by now.
 */
function isOther(record: BackupRecord, { servers, record: own }: Hold): boolean {
  const isNear =
    record.database === own.database ? order(record) > order(own) : haveOneInCommon(servers, serversOf(record));
  return isNear && (mayHold(record) || holdsOthersUp(record));
}

function order({ id, database }: BackupRecord): string {
  return `${id} ${database}`;
}

function takesTooLong(other: string): StillpointError {
  return new StillpointError('backup-in-progress', `${other} still holds this server after ${LIMIT_MS / 1000} s`, {
    hint: 'two policies back up one server: give them schedules apart from each other, or keep one of them',
  });
}
