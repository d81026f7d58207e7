/** What is held for a request, how its volumes are cut, and what speaks against it in itself. Pure. */
import type { PlanRequest } from '../../engine';
import { byRole, cutsTogether, dataAndLogProblems, optionProblems, requestProblem } from '../../plan-request';
import type { Finding } from '../../ports';
import type { Mode } from './versions';

/** What MySQL understands of `engineOptions`. */
export const OPTIONS = {
  /** What is held while the volumes are cut. */
  mode: ['global', 'instance', 'none'],
  /** What is done with a server that replicates from another. */
  replica: ['allow', 'refuse'],
} as const;

/** The mode of a request: exact where nothing is said. */
export function modeOf({ options }: PlanRequest): Mode {
  return (options.mode ?? 'global') as Mode;
}

/** Whether a replica may be backed up: not unless it is said, since it may be behind. */
export function allowsReplica({ options }: PlanRequest): boolean {
  return options.replica === 'allow';
}

/** What is wrong with a request in itself, before any server is asked. */
export function requestProblems(request: PlanRequest): readonly Finding[] {
  return [
    ...optionProblems(request, OPTIONS, 'MySQL'),
    ...dataAndLogProblems(request, LOG),
    ...layoutProblems(request),
  ];
}

/** Where its log is, for messages. */
const LOG = {
  what: 'binary log',
  roles: 'that of the binary log the role log, the others the role tablespace',
  leads: 'log_bin_basename leads to',
};

function* layoutProblems(request: PlanRequest): Generator<Finding> {
  const { layout, volumes, atomicStore, groupClass } = request;
  const { tablespace } = byRole(volumes);
  const mode = modeOf(request);
  if (!atomicStore) {
    yield requestProblem(
      'driver-unsafe',
      'a running MySQL needs snapshots of one instant, and a copy of a folder takes time: InnoDB writes in the background under every lock',
      'take storage with snapshots',
    );
  }
  if (layout === 'backup-mode') {
    yield requestProblem('config-invalid', 'MySQL has no layout backup-mode', 'take layout auto, atomic or group');
  }
  if (layout === 'group' && !groupClass) {
    yield requestProblem(
      'config-invalid',
      'layout group needs a class of group snapshots, and the policy names none',
      'set groupClassName, or take layout atomic',
    );
  }
  if (cutsTogether(request) || volumes.length === 1) return;
  if (tablespace.length > 0) {
    yield requestProblem(
      'volume-mismatch',
      `InnoDB lies on several volumes (${volumes.map(({ name }) => name).join(', ')}), which are not cut at one instant; it writes in the background under every lock`,
      'put it on one volume, or take a class of group snapshots',
    );
  } else if (mode !== 'global') {
    yield requestProblem(
      'volume-mismatch',
      `mode ${mode} lets commits go on, and the policy has several volumes (${volumes.map(({ name }) => name).join(', ')}), which are not cut at one instant`,
      'take mode global, or a class of group snapshots',
    );
  }
}
