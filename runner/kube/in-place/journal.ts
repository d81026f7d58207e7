/**
 * The journal of a restore in place: a ConfigMap beside the database, written before each step. It stays when the restore
 * is done, for the way back.
 */
import { parse, stringify } from 'yaml';
import { type BackupRecord, COMPONENTS, inPlaceJournalName, LABELS, MANAGED_BY } from '../../../src/contract';
import { StillpointError } from '../../errors';
import { isUnfinished, type Operation, type StoredOperation } from '../../restore/in-place/operation';
import type { KubeClient } from '../client';
import { isAlreadyThere, isConflict } from '../errors';
import { CONFIG_MAPS, type ConfigMap } from '../objects';

const OPERATION_KEY = 'operation.yaml';
const RECORD_KEY = 'record.yaml';

/** Makes it. Throws restore-exists when one of this second is there already. */
export async function beginJournal(
  client: KubeClient,
  operation: Operation,
  record: BackupRecord,
): Promise<StoredOperation> {
  const { namespace, workload, id } = operation;
  let own: StoredOperation;
  try {
    own = storedIn(await client.create(CONFIG_MAPS, journalOf(operation, record)));
  } catch (thrown) {
    if (isAlreadyThere(thrown)) throw hasBegun(operation);
    throw thrown;
  }
  // Of two who begin at once, both look after they have written: the elder goes on.
  const all = await listed(client, namespace, {});
  const elder = all.find(
    (other) =>
      other.operation.workload.name === workload.name && isUnfinished(other.operation) && other.operation.id < id,
  );
  if (elder === undefined) return own;
  await writeJournal(client, own, { ...operation, phase: 'abandoned' });
  throw hasBegun(elder.operation);
}

function hasBegun({ id, namespace, workload }: Operation): StillpointError {
  return new StillpointError(
    'restore-exists',
    `restore in place ${id} of ${workload.kind} ${namespace}/${workload.name} has begun meanwhile`,
    { hint: 'let it come to its end' },
  );
}

/** Replaces the operation in it: a compare-and-swap. */
export async function writeJournal(
  client: KubeClient,
  stored: StoredOperation,
  operation: Operation,
): Promise<StoredOperation> {
  const object = journalOf(operation, stored.record);
  try {
    const metadata = { ...object.metadata, resourceVersion: stored.version };
    return storedIn(await client.replace(CONFIG_MAPS, { ...object, metadata }));
  } catch (thrown) {
    if (!isConflict(thrown)) throw thrown;
    throw new StillpointError(
      'record-conflict',
      `somebody else goes on with restore in place ${operation.id} of ${operation.namespace}/${operation.workload.name}`,
      { hint: 'let one of the two come to its end', cause: thrown },
    );
  }
}

/** The one of a workload that has not come to its end. */
export async function unfinishedJournal(
  client: KubeClient,
  namespace: string,
  workload: string,
): Promise<StoredOperation | undefined> {
  const found = await listed(client, namespace, {});
  return found.find(({ operation }) => operation.workload.name === workload && isUnfinished(operation));
}

/** The one of an id. Throws restore-not-found. */
export async function findJournal(client: KubeClient, namespace: string, id: string): Promise<StoredOperation> {
  const [found, other] = await listed(client, namespace, { [LABELS.inPlace]: id });
  if (found !== undefined && other === undefined) return found;
  const what = `${found === undefined ? 'no' : 'more than one'} restore in place ${id} in namespace ${namespace}`;
  throw new StillpointError('restore-not-found', `there is ${what}`, {
    hint: `see which there are: kubectl get configmaps -n ${namespace} -l ${LABELS.component}=${COMPONENTS.inPlace}`,
  });
}

async function listed(
  client: KubeClient,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): Promise<readonly StoredOperation[]> {
  const selector = { [LABELS.managedBy]: MANAGED_BY, [LABELS.component]: COMPONENTS.inPlace, ...labels };
  const { items } = await client.list(CONFIG_MAPS, { namespace, labels: selector });
  return items.map(storedIn);
}

/** What everything carries that a restore in place makes. */
export function inPlaceLabels({ id, database, backup }: Operation): Readonly<Record<string, string>> {
  return {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.component]: COMPONENTS.inPlace,
    [LABELS.inPlace]: id,
    [LABELS.database]: database,
    [LABELS.backup]: backup,
  };
}

function journalOf(operation: Operation, record: BackupRecord): ConfigMap {
  return {
    metadata: {
      name: inPlaceJournalName(operation.workload.name, operation.id),
      namespace: operation.namespace,
      labels: inPlaceLabels(operation),
    },
    data: { [OPERATION_KEY]: stringify(operation), [RECORD_KEY]: stringify(record) },
  };
}

function storedIn({ data, metadata }: ConfigMap): StoredOperation {
  return {
    operation: parse(data?.[OPERATION_KEY] ?? '{}') as Operation,
    record: parse(data?.[RECORD_KEY] ?? '{}') as BackupRecord,
    version: metadata.resourceVersion ?? '',
  };
}
