/** How the volumes of a request are cut, and what speaks against it in itself. Pure. */
import type { PlanRequest } from '../../engine';
import { cutsTogether, dataAndLogProblems, optionProblems, requestProblem } from '../../plan-request';
import type { Finding } from '../../ports';

export function requestProblems(request: PlanRequest): readonly Finding[] {
  return [...optionProblems(request, {}, 'Neo4j'), ...dataAndLogProblems(request, LOG), ...layoutProblems(request)];
}

/** Where its log is, for messages. */
const LOG = {
  what: 'place for its transaction logs',
  roles: 'and that of the transaction logs, where they have one of their own, the role log',
  leads: 'they lie on',
};

function* layoutProblems(request: PlanRequest): Generator<Finding> {
  const { layout, volumes, atomicStore, groupClass, offline } = request;
  if (layout === 'backup-mode') {
    yield requestProblem('config-invalid', 'Neo4j has no layout backup-mode', 'take layout auto, atomic or group');
  }
  if (layout === 'group' && !groupClass) {
    yield requestProblem(
      'config-invalid',
      'layout group needs a class of group snapshots, and the policy names none',
      'set groupClassName, or take layout atomic',
    );
  }
  if (offline === true) return;
  if (!atomicStore) {
    yield requestProblem(
      'driver-unsafe',
      'a running Neo4j needs snapshots of one instant, and a copy of a folder takes time',
      'take storage with snapshots, or stop the server for its backups (offline)',
    );
  }
  if (volumes.length > 1 && !cutsTogether(request)) {
    yield requestProblem(
      'volume-mismatch',
      `store and transaction logs of a running Neo4j lie on several volumes (${volumes.map(({ name }) => name).join(', ')}), which are not cut at one instant`,
      'stop the server for its backups (offline), or take a class of group snapshots',
    );
  }
}
