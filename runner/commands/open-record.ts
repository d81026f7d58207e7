/** The record that a run works on, whatever an earlier pod of its Job has left (safety rule 11). */
import { StillpointError } from '../errors';
import type { StoredRecord } from '../ports';
import { pendingRecord, resumedRecord } from '../record';
import type { BackupContext } from './backup-context';

/**
 * Makes a new record, or takes the one that an earlier pod of the same Job left, with what that had begun undone. Throws
 * id-taken when it is another Job's.
 */
export async function openRecord(context: BackupContext): Promise<StoredRecord> {
  const { registry, namespace, config, sources, run, clock, platform, runnerVersion } = context;
  const existing = await registry.get(namespace, config.spec.database, run.id);
  if (existing === undefined) {
    const about = { sources, namespace, runnerVersion, clusterUid: await platform.clusterUid() };
    return await registry.create(pendingRecord(config, run, clock.now(), about));
  }
  if (existing.record.owner.jobUid !== run.owner.jobUid) {
    throw new StillpointError(
      'id-taken',
      `backup ${run.id} of ${namespace}/${config.spec.database} belongs to another Job (${existing.record.owner.jobName ?? existing.record.owner.jobUid})`,
      { hint: 'two Jobs were created in the same second: start one of them again' },
    );
  }
  return await resume(context, existing);
}

async function resume(context: BackupContext, existing: StoredRecord): Promise<StoredRecord> {
  const { registry, store, run, clock, log } = context;
  const { record } = existing;
  if (record.phase === 'succeeded') return existing;
  if (record.phase === 'cut') {
    log.info(
      { id: record.id, from: record.owner.pod },
      'an earlier pod had every cut seen and proven: it is finished here',
    );
    return existing;
  }
  if (record.phase === 'deleting') {
    throw new StillpointError('record-conflict', `backup ${run.id} of ${record.database} is being deleted`, {
      hint: 'start another backup: this Job would take it again under the same names',
    });
  }
  log.warn({ id: record.id, phase: record.phase, from: record.owner.pod }, 'what an earlier pod began is undone');
  // The record first: should the earlier pod be alive after all, it can finish nothing any more.
  const now = clock.now();
  const taken = await registry.update(existing, resumedRecord(record, run, { leftovers: [], now }));
  const names = record.plannedSnapshots ?? [];
  const leftovers = names.length === 0 ? [] : await store.discard({ id: run.id, jobUid: run.owner.jobUid, names });
  if (leftovers.length === 0) return taken;
  return await registry.update(taken, resumedRecord(record, run, { leftovers, now }));
}
