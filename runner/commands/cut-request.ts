/** What the snapshots of a backup are called and labelled. Pure. */
import { ANNOTATIONS, COMPONENTS, LABELS, MANAGED_BY } from '../../src/contract';
import type { Plan } from '../engine';
import { engineOfAll, versionsOf } from '../member';
import type { CutRequest } from '../ports';
import type { Preflight } from '../preflight';
import type { BackupContext } from './backup-context';

/** Labels are what one selects by; what belongs to one run and one server stands in annotations. */
export function cutRequestOf(
  { run, config, sources, namespace }: Pick<BackupContext, 'run' | 'config' | 'sources' | 'namespace'>,
  { members }: Pick<Preflight, 'members'>,
  { layout }: Plan,
): Pick<CutRequest, 'id' | 'database' | 'labels' | 'annotations'> {
  const { database } = config.spec;
  const { jobUid, pod } = run.owner;
  return {
    id: run.id,
    database,
    labels: {
      [LABELS.managedBy]: MANAGED_BY,
      [LABELS.component]: COMPONENTS.snapshot,
      [LABELS.engine]: engineOfAll(sources),
      [LABELS.database]: database,
      [LABELS.namespace]: namespace,
      [LABELS.backup]: run.id,
    },
    annotations: {
      [ANNOTATIONS.jobUid]: jobUid,
      ...(pod === undefined ? {} : { [ANNOTATIONS.pod]: pod }),
      [ANNOTATIONS.serverVersion]: versionsOf(members),
      [ANNOTATIONS.layout]: layout,
    },
  };
}
