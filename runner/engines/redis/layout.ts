/** How a server is copied, and what speaks against a request in itself. Pure. */
import type { PlanRequest } from '../../engine';
import { optionProblems, requestProblem } from '../../plan-request';
import type { Finding } from '../../ports';
import type { ServerFacts } from './facts';
import type { Role } from './sentinel';

/** What the copy is made of. */
export type Mode =
  /** A dump that the server writes; writes stand still for the moment in which it begins. */
  | 'rdb'
  /** The same, and writes stand still until the dump is cut. */
  | 'rdb-paused'
  /** The append-only file; writes stand still while it is synced and cut. */
  | 'aof';

/** What Redis understands of `engineOptions`. */
export const OPTIONS = {
  mode: ['rdb', 'rdb-paused', 'aof'],
  role: ['master', 'replica'],
} as const;

/** Which of the two is meant: a master where nothing is said. */
export function roleWanted(options: PlanRequest['options']): Role {
  return options.role === 'replica' ? 'replica' : 'master';
}

/**
 * The mode of a request: where nothing is said, what the server itself would start from. One of several servers that are
 * cut together has to hold its writes until all are.
 */
export function modeOf({ options, standstill }: PlanRequest, { settings }: Pick<ServerFacts, 'settings'>): Mode {
  const dump = standstill === true ? 'rdb-paused' : 'rdb';
  return (options.mode ?? (settings.appendonly === 'yes' ? 'aof' : dump)) as Mode;
}

/** What is wrong with a request in itself, before any server is asked. */
export function requestProblems(request: PlanRequest): readonly Finding[] {
  return [...optionProblems(request, OPTIONS, 'Redis'), ...volumeProblems(request), ...layoutProblems(request)];
}

/** A server makes append-only files in its folder and moves them into theirs: on another volume it does not start. [tried, 8.0] */
function* volumeProblems({ volumes }: PlanRequest): Generator<Finding> {
  if (volumes.length === 1 && volumes[0]?.role === 'data') return;
  yield requestProblem(
    'volume-mismatch',
    `the policy has the volumes ${volumes.map(({ name, role }) => `${name} (${role})`).join(', ')}, and a server has its dump and its append-only files on one`,
    'name the volume of dir alone, with the role data',
  );
}

function* layoutProblems({ layout, atomicStore, groupClass, standstill, options }: PlanRequest): Generator<Finding> {
  if (standstill === true && options.mode === 'rdb') {
    yield requestProblem(
      'config-invalid',
      'mode rdb lets writes go on while the dump is written, and several servers are to be of one instant',
      'take mode rdb-paused, or aof',
    );
  }
  if (!atomicStore) {
    yield requestProblem(
      'driver-unsafe',
      'a running server needs snapshots of one instant, and a copy of a folder takes time',
      'take storage with snapshots',
    );
  }
  if (layout === 'backup-mode') {
    yield requestProblem('config-invalid', 'Redis has no layout backup-mode', 'take layout auto, atomic or group');
  }
  if (layout === 'group' && !groupClass) {
    yield requestProblem(
      'config-invalid',
      'layout group needs a class of group snapshots, and the policy names none',
      'set groupClassName, or take layout atomic',
    );
  }
}
