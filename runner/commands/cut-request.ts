/** What the snapshots of a backup are called and labelled. */
import { ANNOTATIONS, COMPONENTS, LABELS, MANAGED_BY, nameStamp } from '../../src/contract';
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
  stamp: string,
): Pick<CutRequest, 'id' | 'database' | 'stamp' | 'labels' | 'annotations'> {
  const { database } = config.spec;
  const { jobUid, pod } = run.owner;
  return {
    id: run.id,
    database,
    stamp,
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

/** How their names end: those of another backup on the same day are taken. */
export async function stampOf({
  registry,
  run,
  namespace,
  config,
}: Pick<BackupContext, 'registry' | 'run' | 'namespace' | 'config'>): Promise<string> {
  const { database, snapshots } = config.spec;
  const { nameDate = 'yyyyMMddHHmmss' } = snapshots;
  if (nameDate === 'yyyyMMddHHmmss') return run.id;
  const others: string[] = [];
  for await (const page of registry.summaries({ namespace, database })) others.push(...page.map(({ id }) => id));
  return nameStamp(run.id, nameDate, others);
}
