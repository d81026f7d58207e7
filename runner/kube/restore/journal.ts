/**
 * The restore's own book: a ConfigMap that is made first and removed last. It hands the record to the pods, and it
 * tells a second run how far the first one came.
 */
import { parse, stringify } from 'yaml';
import { type BackupRecord, restoreNames } from '../../../src/contract';
import type { PreparedFiles } from '../../engine';
import { recordPath } from '../../output/records';
import type { RestorePlan } from '../../restore/plan';
import type { ConfigMap } from '../objects';
import { ownLabels } from './labels';

/** The key of the record: the pods read it as a file of this name. */
export const RECORD_KEY = 'record.yaml';

const PLAN_KEY = 'plan.yaml';
const PREPARED_KEY = 'prepared.yaml';

/** The journal of a restore that begins. */
export function newJournal(plan: RestorePlan): Omit<ConfigMap, 'apiVersion' | 'kind'> {
  return {
    metadata: {
      name: restoreNames(plan.name).journal,
      namespace: plan.namespace,
      labels: ownLabels(plan),
    },
    data: { [RECORD_KEY]: stringify(plan.record), [PLAN_KEY]: stringify(wishes(plan)) },
  };
}

/** What to write into the journal when the files have been prepared: that must not happen twice. */
export function preparedEntry(prepared: PreparedFiles): Pick<ConfigMap, 'data'> {
  return { data: { [PREPARED_KEY]: stringify(prepared) } };
}

/** What an earlier run's preparation said; undefined when it did not come to that. */
export function preparedFiles(journal: ConfigMap): PreparedFiles | undefined {
  const text = journal.data?.[PREPARED_KEY];
  return text === undefined ? undefined : (parse(text) as PreparedFiles);
}

/** How a restore differs from the one that the journal is about; undefined when it is the same. */
export function differenceFrom(journal: ConfigMap, plan: RestorePlan): string | undefined {
  const record = parse(journal.data?.[RECORD_KEY] ?? '{}') as BackupRecord;
  if (recordPath(record) !== recordPath(plan.record)) return `of backup ${recordPath(record)}`;
  return journal.data?.[PLAN_KEY] === stringify(wishes(plan)) ? undefined : 'with other claims, sizes or classes';
}

function wishes({ volumes }: RestorePlan): object {
  return volumes.map(({ name, claim, size, storageClass }) => ({ name, claim, size, storageClass }));
}
