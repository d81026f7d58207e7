/** What is asked of a mongos: the map of the cluster, its balancer, and the lock on all of it. */
import { setTimeout as delay } from 'node:timers/promises';
import { StillpointError } from '../../../errors';
import type { Connection } from '../connection';
import { ILLEGAL_OPERATION, MAX_TIME_EXPIRED, numberOf } from '../errors';
import { at, listAt, numberAt, type Reply, textAt } from '../reply';
import { lockCounts, onlyUnlocked } from './answers';
import { type ShardMap, shardMapOf } from './shard-map';

/** How long a round of the balancer may go on before it is given up; nothing is frozen yet. MongoDB's own default. */
const BALANCER_STOP_MS = 60_000;
const ROUND_POLL_MS = 250;

/**
 * How long each shard may wait for its lock before it answers that it could not. Less than what is waited for here, so
 * that the shards give up first: left alone they wait for 90 s. [src: fsync.cpp, fsyncLockAcquisitionTimeoutMillis]
 */
const SHARD_LOCK_MS = 4_000;

/** From which patch of a release on a mongos takes the lock. [doc: fsync, "Starting in 7.1 (also available starting in …)"] */
const LOCKS_FROM: Readonly<Record<string, number>> = { '5.0': 22, '6.0': 11, '7.0': 2 };

const ROUND_HINT =
  'a chunk is being moved: look at sh.status(), choose a quieter hour, or give the balancer an activeWindow that leaves out that of the backups';

/** The balancer as it is set. */
export interface BalancerSetting {
  /** `full`, `off`, or what versions before 6.1 have besides. */
  readonly mode: string;
  /** Whether chunks may be merged: starting the balancer turns it on as well. [src: configsvr_control_balancer_command.cpp] */
  readonly automerge: boolean;
}

/** Everything that is read when a cluster is opened. */
export interface RouterFacts {
  readonly version: string;
  readonly map: ShardMap;
  readonly balancer: BalancerSetting;
  /** Undefined where it does not tell. */
  readonly privileges: readonly Reply[] | undefined;
  readonly user: string;
}

/** Whether a mongos of this version locks its shards. Pure. */
export function locksCluster(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  if (major > 7 || (major === 7 && minor >= 1)) return true;
  const from = LOCKS_FROM[`${major}.${minor}`];
  return from !== undefined && patch >= from;
}

/** A connection to a mongos. */
export class Router {
  constructor(readonly connection: Connection) {}

  async facts(signal: AbortSignal): Promise<RouterFacts> {
    const build = await this.connection.command('reading the version of the mongos', { buildInfo: 1 }, signal);
    const command = { connectionStatus: 1, showPrivileges: true };
    const status = await this.connection.command('reading the privileges of the user', command, signal);
    const privileges = listAt(status, 'authInfo.authenticatedUserPrivileges');
    const [user] = listAt(status, 'authInfo.authenticatedUsers');
    return {
      version: textAt(build, 'version') ?? 'unknown',
      map: await this.map(signal),
      balancer: await this.balancerSetting(signal),
      privileges: privileges.length === 0 ? undefined : privileges,
      user: user === undefined ? 'nobody' : `${textAt(user, 'user')}@${textAt(user, 'db')}`,
    };
  }

  async map(signal: AbortSignal): Promise<ShardMap> {
    return shardMapOf(await this.connection.command('reading the map of shards', { getShardMap: 1 }, signal));
  }

  /** In which mode the balancer is, and whether it is in a round. */
  async balancer(signal: AbortSignal): Promise<{ readonly mode: string; readonly inRound: boolean }> {
    const status = await this.connection.command('reading the state of the balancer', { balancerStatus: 1 }, signal);
    return { mode: textAt(status, 'mode') ?? 'unknown', inRound: at(status, 'inBalancerRound') === true };
  }

  async balancerSetting(signal: AbortSignal): Promise<BalancerSetting> {
    return { mode: (await this.balancer(signal)).mode, automerge: await this.#automerge(signal) };
  }

  /** Stops it, and waits for the end of its round. The setting is made first: also after a failure it may be stopped. */
  async stopBalancer(signal: AbortSignal): Promise<void> {
    const command = { balancerStop: 1, maxTimeMS: BALANCER_STOP_MS };
    try {
      await this.connection.command('stopping the balancer', command, signal);
    } catch (error) {
      throw numberOf(error) === MAX_TIME_EXPIRED ? roundGoesOn(error) : error;
    }
    await this.balancerIsOff(signal);
  }

  /** Waits until nothing is moved any more: a balancer that is off may still be in the round that it was in. */
  async balancerIsOff(signal: AbortSignal): Promise<void> {
    for (let tries = 0; ; tries++) {
      const { mode, inRound } = await this.balancer(signal);
      if (mode !== 'off') {
        throw new StillpointError('freeze-failed', `the balancer is on (${mode}) after it was off`, {
          hint: 'somebody else has started it: the next backup finds it so, and stops it',
        });
      }
      if (!inRound) return;
      if (tries * ROUND_POLL_MS >= BALANCER_STOP_MS) throw roundGoesOn();
      await delay(ROUND_POLL_MS, undefined, { signal });
    }
  }

  /** Puts it back as it was. The setting is kept on the config servers: it is written once they take writes again. */
  async startBalancer({ automerge }: Pick<BalancerSetting, 'automerge'>, signal: AbortSignal): Promise<void> {
    const what = 'starting the balancer';
    if (automerge) {
      await this.connection.command(what, { balancerStart: 1 }, signal);
      return;
    }
    // The command would turn the merging of chunks on as well; this is what else it writes.
    const updates = [{ q: { _id: 'balancer' }, u: { $set: { stopped: false, mode: 'full' } } }];
    const command = { update: 'settings', updates, writeConcern: { w: 'majority' } };
    const answer = await this.connection.command(what, command, signal, 'config');
    if (numberAt(answer, 'n') === 1) return;
    throw new StillpointError('thaw-failed', `${what} failed: config.settings has no document of it, or keeps it`);
  }

  /** Locks the primaries of the config servers and of all shards. Says how often each set is locked now, where it tells. */
  async lock(comment: string): Promise<ReadonlyMap<string, number>> {
    const command = { fsync: 1, lock: true, fsyncLockAcquisitionTimeoutMillis: SHARD_LOCK_MS, comment };
    try {
      return lockCounts(await this.connection.command('locking writes out of all shards', command));
    } catch (error) {
      throw numberOf(error) === ILLEGAL_OPERATION ? schemaChanges(error) : error;
    }
  }

  /** Unlocks each of them once; those that are not locked do not mind. */
  async unlock(signal: AbortSignal): Promise<void> {
    try {
      await this.connection.command('unlocking all shards', { fsyncUnlock: 1 }, signal);
    } catch (error) {
      if (!onlyUnlocked(at(error, 'cause'))) throw error;
    }
  }

  /** On where nothing is said. Versions before 7.0 know nothing of it. */
  async #automerge(signal: AbortSignal): Promise<boolean> {
    const command = { find: 'settings', filter: { _id: 'automerge' } };
    const answer = await this.connection.command('reading the settings of the balancer', command, signal, 'config');
    const [setting] = listAt(answer, 'cursor.firstBatch');
    return at(setting, 'enabled') !== false;
  }
}

function roundGoesOn(cause?: unknown): StillpointError {
  const message = `the balancer was still in its round after ${BALANCER_STOP_MS / 1000} s`;
  return new StillpointError('freeze-timeout', message, { hint: ROUND_HINT, cause });
}

/** It is the one thing that the shards refuse a mongos's lock for. [src: fsync.cpp, checkForInProgressDDLOperations] */
function schemaChanges(cause: unknown): StillpointError {
  const message = `the mongos could not lock all shards: ${cause instanceof Error ? cause.message : String(cause)}`;
  const hint = 'a collection is being resharded, renamed, dropped or otherwise changed: wait for its end';
  return new StillpointError('freeze-failed', message, { hint, cause });
}
