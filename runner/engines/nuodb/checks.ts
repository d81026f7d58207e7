/** What speaks against a request before anything is touched. Pure. */
import type { PlanRequest } from '../../engine';
import { dataAndLogProblems, optionProblems, requestProblem } from '../../plan-request';
import type { Finding } from '../../ports';

/** How the backup hooks make the archive stand still. They do not say which: the policy does. */
export const FREEZE_MODES = ['hotsnap', 'fsfreeze', 'suspend'] as const;
export type FreezeMode = (typeof FREEZE_MODES)[number];

/** What NuoDB understands of `engineOptions`. */
export const OPTIONS = { freezeMode: FREEZE_MODES } as const;

/** Pausing the archiving is what the engine itself has for this, and what the hooks do unless told otherwise. */
export function freezeModeOf({ options }: Pick<PlanRequest, 'options'>): FreezeMode {
  return FREEZE_MODES.find((mode) => mode === options.freezeMode) ?? 'hotsnap';
}

export function checkRequest(
  request: PlanRequest,
  hooks: { readonly current: string | undefined; readonly where: string },
): readonly Finding[] {
  const problems = requestProblems(request);
  if (problems.length > 0) return problems;
  return [hooks.current === undefined ? answers(hooks.where) : inBackup(hooks.where, hooks.current)];
}

export function requestProblems(request: PlanRequest): readonly Finding[] {
  return [
    ...optionProblems(request, OPTIONS, 'NuoDB'),
    ...dataAndLogProblems(request, LOG),
    ...layoutProblems(request),
  ];
}

/** Where its log is, for messages. */
const LOG = {
  what: 'journal',
  roles: 'and that of the journal, where it has one of its own, the role log',
  leads: 'it lies on',
};

function* layoutProblems(request: PlanRequest): Generator<Finding> {
  const { layout, groupClass, atomicStore, standstill } = request;
  if (layout === 'backup-mode') {
    yield requestProblem('config-invalid', 'NuoDB has no layout backup-mode', 'take layout auto, atomic or group');
  }
  if (layout === 'group' && !groupClass) {
    yield requestProblem(
      'config-invalid',
      'layout group needs a class of group snapshots, and the policy names none',
      'set groupClassName, or take layout auto',
    );
  }
  if (!atomicStore) {
    yield requestProblem(
      'driver-unsafe',
      'the journal goes on being written while the archive stands still, and a copy of a folder takes time',
      'take storage with snapshots',
    );
  }
  if (standstill === true && freezeModeOf(request) !== 'suspend' && !groupClass) {
    yield requestProblem(
      'config-invalid',
      'transactions go on while archives stand still, and several storage managers are to be of one instant',
      'set a class of group snapshots, or have the backup hooks suspend the engine (freezeMode suspend)',
    );
  }
}

function answers(where: string): Finding {
  return {
    severity: 'ok',
    code: 'ok',
    subject: 'server',
    message: `the backup hooks at ${where} answer, and no backup is at work there`,
  };
}

/** Somebody else's, or what is left of one: the hooks take no second one. */
function inBackup(where: string, current: string): Finding {
  return {
    severity: 'error',
    code: 'freeze-left',
    subject: 'server',
    message: `backup ${current} is at work at the backup hooks at ${where}`,
    hint: `wait for the end of it; what is left of one that is no more ends by POST http://${where}/post-backup/${current}`,
  };
}
