/** What tells of a clone as long as it is there: of which backup, and how far it has come. Pure. */
import { cloneNames, LABELS } from '../../../src/contract';
import type { ClonePlan } from '../../clone/plan';
import { CLONE_STAGES, type CloneInfo, type CloneStage } from '../../clone/site';
import { recordPath } from '../../output/records';
import type { ConfigMap } from '../objects';
import { cloneLabels } from './labels';

const STAGE = 'stage';
const BACKUP = 'backup';
const WORKLOAD = 'workload';
const SCRIPTS = 'scripts';

export function newBook(plan: ClonePlan): Omit<ConfigMap, 'apiVersion' | 'kind'> {
  const { name, restore, workload, scripts } = plan;
  return {
    metadata: { name: cloneNames(name).book, namespace: restore.namespace, labels: cloneLabels(plan) },
    data: {
      [STAGE]: 'making' satisfies CloneStage,
      [BACKUP]: recordPath(restore.record),
      [WORKLOAD]: String(workload),
      ...(scripts === undefined ? {} : { [SCRIPTS]: scripts }),
    },
  };
}

/** What to write into the book of a clone that has come further. */
export function stageEntry(stage: CloneStage): Pick<ConfigMap, 'data'> {
  return { data: { [STAGE]: stage } };
}

/** How far the clone of a book has come. */
export function stageOf({ data = {} }: ConfigMap): CloneStage {
  return CLONE_STAGES.find((stage) => stage === data[STAGE]) ?? 'making';
}

/** Whether a clone that has begun is another one than is asked for now; undefined when it is the same. */
export function bookDiffers({ data = {} }: ConfigMap, plan: ClonePlan): string | undefined {
  const { data: wanted = {} } = newBook(plan);
  if (data[BACKUP] !== wanted[BACKUP]) return `of backup ${data[BACKUP]}`;
  if (data[WORKLOAD] !== wanted[WORKLOAD]) return data[WORKLOAD] === 'true' ? 'with a server' : 'without a server';
  return data[SCRIPTS] === wanted[SCRIPTS] ? undefined : `with ${data[SCRIPTS] ?? 'no scripts'}`;
}

/** The clone that a book tells of. */
export function infoOf(book: ConfigMap): CloneInfo {
  const { namespace = '', labels = {}, creationTimestamp = '' } = book.metadata;
  const series = labels[LABELS.cloneSeries];
  return {
    namespace,
    name: labels[LABELS.clone] ?? '',
    ...(series === undefined ? {} : { series }),
    backup: book.data?.[BACKUP] ?? '',
    stage: stageOf(book),
    created: creationTimestamp,
    workload: book.data?.[WORKLOAD] === 'true',
  };
}
