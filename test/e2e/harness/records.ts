/** The registry and the snapshots, as they are in the cluster. */
import { parse } from 'yaml';
import type { ConfigMap } from '../../../runner/kube/objects';
import { usesOf } from '../../../runner/registry/use-marks';
import { type BackupRecord, COMPONENTS, fits, LABELS, RECORD, recordName, validate } from '../../../src/contract';
import { type Anything, KINDS, list, read } from './cluster';
import { contentsOf } from './contents';
import type { TestJob } from './job';
import type { TestPolicy } from './policy';
import { thisRun } from './this-run';

/** All records of a policy's database, oldest first. Each has to fit the schema. */
export async function recordsOf(policy: TestPolicy): Promise<readonly BackupRecord[]> {
  const selector = `${LABELS.component}=${COMPONENTS.record},${LABELS.namespace}=${policy.namespace},${LABELS.database}=${policy.database}`;
  const objects = await list(KINDS.configMap, thisRun.registry, selector);
  return objects.map(recordIn).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The record of the backup that a Job took. */
export async function recordOf(policy: TestPolicy, job: TestJob): Promise<BackupRecord> {
  const found = (await recordsOf(policy)).find(({ owner }) => owner.jobUid === job.uid);
  if (found === undefined) throw new Error(`Job ${job.name} has left no record`);
  return found;
}

/** Who works with a backup, by the marks on its record. */
export async function usersOf({ namespace, database, id }: BackupRecord): Promise<readonly string[]> {
  const object = await read(KINDS.configMap, recordName(namespace, database, id), thisRun.registry);
  return object === undefined ? [] : usesOf(object as unknown as ConfigMap).map(({ what }) => what);
}

function recordIn(object: Anything): BackupRecord {
  const record: unknown = parse(object.data['record.yaml']);
  if (!fits(RECORD, record)) {
    throw new Error(`record ${object.metadata?.name}: ${JSON.stringify(validate(RECORD, record))}`);
  }
  return record;
}

/** What there is of snapshots in a namespace, contents included, as `VolumeSnapshot orders-db-data-…`. */
export async function snapshotsLeft(namespace: string, database = ''): Promise<readonly string[]> {
  const names = [...(await contentsOf(namespace))];
  for (const kind of [KINDS.snapshot, KINDS.groupSnapshot]) {
    names.push(...(await list(kind, namespace)).map(({ metadata }) => `${kind.kind} ${metadata?.name}`));
  }
  return names.filter((name) => name.split(' ').at(-1)?.startsWith(database));
}
