/** The rights of the account that takes dumps. */
import {
  type AccessNeed,
  ASK_PRUNER,
  HOLD_LEASE,
  inNamespace,
  JOB_OF_BACKUP,
  KEEP_RECORDS,
  knowCluster,
  MAKE_LEASE,
  SAY_EVENTS,
} from './access-needs';
import type { DumpConfig } from './dump-config';
import { DEFAULT_REGISTRY_NAMESPACE, dumpLeaseName } from './names';

/** The rights of the account that takes the dumps of one policy: nothing of volumes or snapshots, and of pods its own alone. */
export function dumpAccess({ spec }: Pick<DumpConfig, 'spec'>): readonly AccessNeed[] {
  const lease = dumpLeaseName(spec.database);
  return [
    inNamespace('', 'pods', ['get'], 'find the Job that its own pod belongs to'),
    JOB_OF_BACKUP,
    MAKE_LEASE,
    { ...HOLD_LEASE, names: [lease] },
    SAY_EVENTS,
    KEEP_RECORDS,
    ...(spec.prune === true ? [ASK_PRUNER] : []),
    ...(spec.clusterScope === false ? [] : [knowCluster(spec.registry.namespace ?? DEFAULT_REGISTRY_NAMESPACE)]),
  ];
}
