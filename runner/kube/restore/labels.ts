import { COMPONENTS, LABELS, MANAGED_BY } from '../../../src/contract';
import { type RestorePlan, wholeOf } from '../../restore/plan';
import type { KubeObject } from '../resource';

/** What selects all that a restore of one name has made. */
export function restoreSelector(name: string): Readonly<Record<string, string>> {
  return {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.component]: COMPONENTS.restore,
    [LABELS.restore]: name,
  };
}

/** The labels of everything that a restore makes. */
export function ownLabels(plan: RestorePlan): Readonly<Record<string, string>> {
  const { record } = plan;
  return {
    ...restoreSelector(wholeOf(plan)),
    [LABELS.engine]: record.engine,
    [LABELS.namespace]: record.namespace,
    [LABELS.database]: record.database,
    [LABELS.backup]: record.id,
  };
}

/** Whether this restore, of this very backup, has made an object. */
export function isOwn(object: KubeObject, plan: RestorePlan): boolean {
  const labels = object.metadata.labels ?? {};
  return Object.entries(ownLabels(plan)).every(([name, value]) => labels[name] === value);
}
