/** Which layout a request gets, and what speaks against it. Pure. */
import type { PlanRequest } from '../../engine';
import { byRole, dataAndLogProblems, optionProblems, requestProblem } from '../../plan-request';
import type { Finding } from '../../ports';

/** How several volumes become one consistent copy. */
export type Layout = 'atomic' | 'group' | 'backup-mode';

/** What PostgreSQL understands of `engineOptions`. */
export const OPTIONS = {
  /** Run CHECKPOINT before an atomic cut: the copy is recovered faster. Needs superuser, or pg_checkpoint from 15. */
  checkpoint: ['true', 'false'],
} as const;

/** The layout of a request: what it says, or for `auto` the one that holds least and is safe. */
export function chooseLayout({ layout, volumes, atomicStore, groupClass, standstill }: PlanRequest): Layout {
  if (standstill === true) return volumes.length === 1 ? 'atomic' : 'group';
  if (layout !== 'auto') return layout;
  if (volumes.length === 1 && atomicStore) return 'atomic';
  return groupClass && atomicStore ? 'group' : 'backup-mode';
}

/** Whether a request asks for a CHECKPOINT. */
export function wantsCheckpoint({ options }: PlanRequest): boolean {
  return options.checkpoint === 'true';
}

/** What is wrong with a request in itself, before any server is asked. */
export function requestProblems(request: PlanRequest): readonly Finding[] {
  return [
    ...optionProblems(request, OPTIONS, 'PostgreSQL'),
    ...dataAndLogProblems(request, LOG),
    ...layoutProblems(request),
  ];
}

/** Where its log is, for messages. */
const LOG = {
  what: 'write-ahead log',
  roles: 'that of the write-ahead log the role log, the others the role tablespace',
  leads: 'pg_wal leads to',
};

function* layoutProblems(request: PlanRequest): Generator<Finding> {
  const { volumes, atomicStore, groupClass } = request;
  const layout = chooseLayout(request);
  const names = volumes.map(({ name }) => name).join(', ');
  if (request.standstill === true && request.layout === 'backup-mode') {
    yield requestProblem(
      'config-invalid',
      'in backup mode PostgreSQL goes on writing, and several servers are to be of one instant',
      'leave the layout out',
    );
  }
  if (layout === 'atomic' && volumes.length > 1) {
    yield requestProblem(
      'volume-mismatch',
      `layout atomic needs everything on one volume, and the policy has ${volumes.length} (${names})`,
      'take layout backup-mode, or group where the storage has group snapshots',
    );
  }
  if (layout !== 'backup-mode' && !atomicStore) {
    yield requestProblem(
      'driver-unsafe',
      `layout ${layout} needs snapshots of one instant, and a copy of a folder takes time`,
      'take layout backup-mode',
    );
  }
  if (layout === 'group' && !groupClass) {
    yield requestProblem(
      'config-invalid',
      `${request.standstill === true ? `a server with several volumes (${names}) that is cut together with others` : 'layout group'} needs a class of group snapshots, and the policy names none`,
      request.standstill === true
        ? 'set groupClassName, put it on one volume, or back it up by a policy of its own'
        : 'set groupClassName, or take layout backup-mode',
    );
  }
  if (layout === 'backup-mode' && !atomicStore && byRole(volumes).log.length === 0) {
    yield requestProblem(
      'volume-mismatch',
      'copies of folders need the write-ahead log as a volume of its own: it has to be copied last',
      'add a volume of role log for the folder pg_wal in the data directory, even if it is no file system of its own',
    );
  }
}
