/** How a server is copied, and what speaks against a request in itself. Pure. */
import type { PlanRequest } from '../../engine';
import { byRole, optionProblems } from '../../plan-request';
import type { Finding } from '../../ports';
import type { ServerFacts } from './facts';

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
} as const;

/**
 * The mode of a request: where nothing is said, what the server itself would start from. One of several servers that are
 * cut together has to hold its writes until all are.
 */
export function modeOf({ options, standstill }: PlanRequest, { settings }: Pick<ServerFacts, 'settings'>): Mode {
  const dump = standstill === true ? 'rdb-paused' : 'rdb';
  return (options.mode ?? (settings.appendonly === 'yes' ? 'aof' : dump)) as Mode;
}

/** Whether all volumes are cut at one instant by the storage. */
export function cutsTogether({ layout, volumes, groupClass }: PlanRequest): boolean {
  return layout === 'group' || (layout === 'auto' && groupClass && volumes.length > 1);
}

/** What is wrong with a request in itself, before any server is asked. */
export function requestProblems(request: PlanRequest): readonly Finding[] {
  return [...optionProblems(request, OPTIONS, 'Redis'), ...volumeProblems(request), ...layoutProblems(request)];
}

function* volumeProblems({ volumes }: PlanRequest): Generator<Finding> {
  const { data, log, tablespace } = byRole(volumes);
  if (data.length !== 1 || log.length > 1 || tablespace.length > 0) {
    yield problem(
      'volume-mismatch',
      `the policy has the volumes ${volumes.map(({ name, role }) => `${name} (${role})`).join(', ')}, and a server has one folder dir and at most one volume of its append-only files`,
      'give the volume of dir the role data and that of appenddirname, where it has one, the role log',
    );
  }
}

function* layoutProblems({ layout, atomicStore, groupClass, standstill, options }: PlanRequest): Generator<Finding> {
  if (standstill === true && options.mode === 'rdb') {
    yield problem(
      'config-invalid',
      'mode rdb lets writes go on while the dump is written, and several servers are to be of one instant',
      'take mode rdb-paused, or aof',
    );
  }
  if (!atomicStore) {
    yield problem(
      'driver-unsafe',
      'a running server needs snapshots of one instant, and a copy of a folder takes time',
      'take storage with snapshots',
    );
  }
  if (layout === 'backup-mode') {
    yield problem('config-invalid', 'Redis has no layout backup-mode', 'take layout auto, atomic or group');
  }
  if (layout === 'group' && !groupClass) {
    yield problem(
      'config-invalid',
      'layout group needs a class of group snapshots, and the policy names none',
      'set groupClassName, or take layout atomic',
    );
  }
}

function problem(code: 'config-invalid' | 'volume-mismatch' | 'driver-unsafe', message: string, hint: string): Finding {
  return { severity: 'error', code, subject: 'policy', message, hint };
}
