import { COMPONENTS, LABELS, MANAGED_BY } from '../../../src/contract';
import type { ClonePlan } from '../../clone/plan';
import type { KubeObject } from '../resource';

/** What selects everything of clones, or of one. */
export function cloneSelector(name?: string): Readonly<Record<string, string>> {
  return {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.component]: COMPONENTS.clone,
    ...(name === undefined ? {} : { [LABELS.clone]: name }),
  };
}

/** What selects everything of a series. */
export function seriesSelector(series: string): Readonly<Record<string, string>> {
  return { ...cloneSelector(), [LABELS.cloneSeries]: series };
}

/** The labels of everything that a clone has besides its volumes: none of the original's. */
export function cloneLabels({ name, series, restore: { record } }: ClonePlan): Readonly<Record<string, string>> {
  return {
    ...cloneSelector(name),
    ...(series === undefined ? {} : { [LABELS.cloneSeries]: series }),
    [LABELS.engine]: record.engine,
    [LABELS.namespace]: record.namespace,
    [LABELS.database]: record.database,
    [LABELS.backup]: record.id,
  };
}

/** Whether this clone, of this very backup, has made an object. */
export function isOwnClone({ metadata: { labels = {} } }: KubeObject, plan: ClonePlan): boolean {
  return Object.entries(cloneLabels(plan)).every(([name, value]) => labels[name] === value);
}
