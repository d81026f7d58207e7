/** What speaks against a request before anything is touched. Pure. */
import type { PlanRequest } from '../../engine';
import { dataAndLogProblems, optionProblems, requestProblem } from '../../plan-request';
import type { Finding } from '../../ports';
import { FREEZE_MODES, type FreezeMode, freezeModeOf, standsStill } from './freeze-mode';

/** What NuoDB understands of `engineOptions`. */
export const OPTIONS = { freezeMode: FREEZE_MODES } as const;

export function checkRequest(
  request: PlanRequest,
  hooks: {
    readonly current: string | undefined;
    readonly where: string;
    /** As the manifest of their pod has it. */
    readonly mode?: FreezeMode | undefined;
  },
): readonly Finding[] {
  const problems = requestProblems(request, hooks.mode);
  if (problems.length > 0) return problems;
  return [hooks.current === undefined ? answers(hooks.where) : inBackup(hooks.where, hooks.current)];
}

export function requestProblems(request: PlanRequest, ofPod: FreezeMode | undefined): readonly Finding[] {
  return [
    ...optionProblems(request, OPTIONS, 'NuoDB'),
    ...dataAndLogProblems(request, LOG),
    ...modeProblems(request, ofPod),
    ...layoutProblems(request, ofPod),
  ];
}

/** Where its log is, for messages. */
const LOG = {
  what: 'journal',
  roles: 'and that of the journal, where it has one of its own, the role log',
  leads: 'it lies on',
};

/** The record is to say what was done, and the hooks do not: a policy that says otherwise than their pod would be believed. */
function* modeProblems({ options }: PlanRequest, ofPod: FreezeMode | undefined): Generator<Finding> {
  const { freezeMode } = options;
  if (ofPod === undefined || freezeMode === undefined || freezeMode === ofPod) return;
  yield requestProblem(
    'config-invalid',
    `freezeMode is ${freezeMode}, and the backup hooks of the pod are told ${ofPod}`,
    `leave freezeMode out, or set it to ${ofPod}; what the hooks do is said by the values of the Helm chart`,
  );
}

function* layoutProblems(request: PlanRequest, ofPod: FreezeMode | undefined): Generator<Finding> {
  const { layout, groupClass, atomicStore, standstill, volumes } = request;
  const stands = standsStill(freezeModeOf(request, ofPod), volumes.length);
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
  if (standstill === true && !stands && !groupClass) {
    yield requestProblem(
      'config-invalid',
      'transactions go on while archives stand still, and several storage managers are to be of one instant',
      'set a class of group snapshots, or have the backup hooks suspend the engine (freezeMode suspend; they do so where each journal has a volume of its own)',
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
