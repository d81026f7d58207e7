/** The record that a run works on, whatever an earlier pod of its Job has left (safety rule 11). */
import type { BackupRecord } from '../../src/contract';
import { StillpointError } from '../errors';
import { engineOfAll } from '../member';
import type { Registry, Run, StoredRecord } from '../ports';
import { pendingRecord, resumedRecord } from '../record';
import type { BackupContext } from './backup-context';

/** What one run, and no other, works on. */
export interface RunContext {
  readonly registry: Registry;
  readonly namespace: string;
  readonly config: { readonly spec: { readonly database: string } };
  readonly run: Run;
}

/** The record of a run of snapshots, with what an earlier pod of its Job had begun undone. */
export function openRecord(context: BackupContext): Promise<StoredRecord> {
  const { namespace, config, sources, run, clock, platform, runnerVersion } = context;
  return recordOfRun(
    context,
    async () => {
      const engine = engineOfAll(sources);
      const about = { engine, namespace, runnerVersion, clusterUid: await platform.clusterUid() };
      return pendingRecord(config, run, clock.now(), about);
    },
    (existing) => resume(context, existing),
  );
}

/**
 * Makes a new record, or takes the one that an earlier pod of the same Job left: as it is where that is good, else resumed.
 * Throws id-taken when it is another Job's.
 */
export async function recordOfRun(
  { registry, namespace, config, run }: RunContext,
  pending: () => Promise<BackupRecord>,
  resumed: (existing: StoredRecord) => Promise<StoredRecord>,
): Promise<StoredRecord> {
  const existing = await registry.get(namespace, config.spec.database, run.id);
  if (existing === undefined) return await registry.create(await pending());
  const { owner, phase } = existing.record;
  if (owner.jobUid !== run.owner.jobUid) {
    throw new StillpointError(
      'id-taken',
      `backup ${run.id} of ${namespace}/${config.spec.database} belongs to another Job (${owner.jobName ?? owner.jobUid})`,
      { hint: 'two Jobs were created in the same second: start one of them again' },
    );
  }
  if (phase === 'succeeded') return existing;
  if (phase === 'deleting') {
    throw new StillpointError('record-conflict', `backup ${run.id} of ${config.spec.database} is being deleted`, {
      hint: 'start another backup: this Job would take it again under the same names',
    });
  }
  return await resumed(existing);
}

async function resume(context: BackupContext, existing: StoredRecord): Promise<StoredRecord> {
  const { registry, store, run, clock, log } = context;
  const { record } = existing;
  if (record.phase === 'cut') {
    log.info(
      { id: record.id, from: record.owner.pod },
      'an earlier pod had every cut seen and proven: it is finished here',
    );
    return existing;
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
