/** What earlier runs have left of their dumps: taken up, or ended and removed (safety rule 11). */

import { type BackupRecord, type CopyConfig, type DumpConfig, type EngineName, storePlace } from '../../src/contract';
import { discardObjects } from '../dump/discard';
import { isOwnerKey, keysOf } from '../dump/keys';
import { storeOf, withoutObjects } from '../dump/record';
import { asStillpointError, StillpointError } from '../errors';
import type { Clock, Log, Platform, Registry, Run, StoredRecord } from '../ports';
import { failedRecord, pendingRecord, resumedRecord, UNFINISHED } from '../record';
import type { ObjectStore } from '../storage/object-store';
import { recordOfRun } from './open-record';

/** What the record of whatever lies in a store is kept by: of a dump, or of a copy. */
export interface StoredRunContext {
  readonly config: DumpConfig | CopyConfig;
  readonly namespace: string;
  readonly engine: { readonly name: EngineName };
  readonly run: Run;
  readonly registry: Registry;
  readonly platform: Pick<Platform, 'clusterUid'>;
  readonly openStore: () => Promise<ObjectStore>;
  readonly clock: Clock;
  readonly log: Log;
  readonly runnerVersion: string;
}

/** The record that this run works on: a new one, or that of an earlier pod of its Job, with what that had begun undone. */
export function openDump(context: StoredRunContext): Promise<StoredRecord> {
  const { namespace, config, run, clock, platform, runnerVersion, engine } = context;
  return recordOfRun(
    context,
    async () => {
      const about = { engine: engine.name, namespace, runnerVersion, clusterUid: await platform.clusterUid() };
      return pendingRecord(config, run, clock.now(), about);
    },
    (existing) => resume(context, existing),
  );
}

async function resume(context: StoredRunContext, existing: StoredRecord): Promise<StoredRecord> {
  const { registry, run, clock, log } = context;
  const { record } = existing;
  log.warn({ id: record.id, phase: record.phase, from: record.owner.pod }, 'what an earlier pod began is undone');
  // The record first: should the earlier pod be alive after all, it can finish nothing any more.
  const now = clock.now();
  const taken = await registry.update(existing, resumedRecord(record, run, { leftovers: [], now }));
  const leftovers = await discardObjects(record, context.openStore, context);
  if (leftovers.length === 0) return await registry.update(taken, withoutObjects(taken.record));
  // A store that lets nobody delete: this attempt takes other names, and what is left goes when the backup does.
  log.warn({ id: record.id, leftovers }, 'what an earlier pod has written stays, and goes with the backup');
  return taken;
}

/** Ends the records of runners that are gone, and removes what they had written. Never fails the new dump. */
export async function sweepDumps(context: StoredRunContext): Promise<void> {
  const { registry, namespace, config, run, log } = context;
  const { database } = config.spec;
  for (const stored of await registry.list({ namespace, database, phases: UNFINISHED })) {
    const { mode, owner, id } = stored.record;
    if (mode !== 'dump' || owner.jobUid === run.owner.jobUid) continue;
    try {
      await endLost(context, stored);
    } catch (thrown) {
      const { code, message } = asStillpointError(thrown);
      log.warn({ id, code }, `backup ${id} of an earlier runner could not be ended: ${message}`);
    }
  }
}

async function endLost(context: StoredRunContext, stored: StoredRecord): Promise<void> {
  const { id, phase } = stored.record;
  context.log.warn({ id, phase }, 'an earlier runner ended before it was done: what it began is undone');
  const message = `the runner of backup ${id} ended before it was done, and no pod of its Job went on with it`;
  await failDump(context, stored, new StillpointError('runner-lost', message));
}

/**
 * Writes a failure down, then removes what was written: whoever has taken the record over meanwhile may have written under the
 * same names, and then nothing is touched. Nor is it where the store had an object of that name all at once: it is somebody
 * else's, say of a second cluster with the same policies and the same bucket.
 */
export async function failDump(
  context: Pick<StoredRunContext, 'registry' | 'clock' | 'openStore' | 'log' | 'config'>,
  stored: StoredRecord,
  error: StillpointError,
): Promise<StoredRecord> {
  const { registry, clock } = context;
  const keys = keysOf(stored.record);
  const taken = error.code === 'object-exists' && error.leftovers.length === 0;
  const told = failedRecord(stored.record, error, clock.now());
  // On record before anything is removed: should that not come to its end, somebody knows of it.
  const marked = keys.length === 0 || taken ? told : { ...told, leftovers: [...(told.leftovers ?? []), ...keys] };
  const failed = await registry.update(stored, marked);
  if (keys.length === 0) return failed;
  if (taken) {
    // Its folder may be this Job's all the same.
    await discardObjects({ ...stored.record, plannedObjects: keys.filter(isOwnerKey) }, context.openStore, context);
    return await registry.update(failed, withoutObjects(failed.record));
  }
  if (!liesInItsStore(stored.record, context)) return failed;
  const leftovers = await discardObjects(stored.record, context.openStore, context);
  const { leftovers: _, ...rest } = failed.record;
  const all = [...(told.leftovers ?? []), ...leftovers];
  const ended = {
    ...(leftovers.length === 0 ? withoutObjects(rest) : rest),
    ...(all.length === 0 ? {} : { leftovers: all }),
  };
  return await registry.update(failed, ended);
}

/** A policy may have changed its storage since: then the pruner removes it, which is told of all of them. */
function liesInItsStore(record: BackupRecord, { config, log }: Pick<StoredRunContext, 'config' | 'log'>): boolean {
  const { id } = record;
  const store = storeOf(record);
  if (store === undefined || storePlace(store) === storePlace(config.spec.storage)) return true;
  log.warn(
    { id },
    `what backup ${id} has written lies in the storage that the policy had then: it is left to the pruner`,
  );
  return false;
}
