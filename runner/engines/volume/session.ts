/** What stands for a session where there is no server: it has nothing to hold, and a plan of cuts alone. */
import type { EngineSession, Plan, PlanRequest, Server } from '../../engine';
import { optionProblems } from '../../plan-request';
import type { Finding } from '../../ports';

const NO_SERVER: Server = { address: undefined, version: '', identity: {}, settings: {} };

export function openSession(): EngineSession {
  return {
    server: NO_SERVER,
    paths: async () => [],
    check: async (request) => problems(request),
    plan: planCuts,
    whoAnswers: async () => ({}),
    lost: new AbortController().signal,
    close: async () => undefined,
  };
}

function problems(request: PlanRequest): readonly Finding[] {
  const unsafe: Finding = {
    severity: 'error',
    code: 'driver-unsafe',
    subject: 'policy',
    message: 'files that are in use need snapshots of one instant, and a copy of a folder takes time',
    hint: 'take storage with snapshots',
  };
  return [
    ...optionProblems(request, {}, 'a plain volume'),
    ...(request.atomicStore || request.offline === true ? [] : [unsafe]),
  ];
}

/** Each volume at an instant of its own, unless the storage can cut them together. */
export function planCuts({ volumes, groupClass, offline }: PlanRequest): Plan {
  const together = groupClass && volumes.length > 1;
  const several = together ? 'group' : 'separate';
  return {
    layout: volumes.length === 1 ? 'atomic' : several,
    freezes: 'nothing',
    statement:
      offline === true
        ? 'the files are those of a program that was stopped'
        : volumes.length === 1 || together
          ? 'the files were cut at one instant, as they were on the device: what a program had not written there yet is not in the copy'
          : 'each volume was cut at an instant of its own, as it was on the device: what a program had not written there yet is not in the copy',
    steps: [{ kind: 'cut', volumes: volumes.map(({ name }) => name), how: together ? 'together' : 'individually' }],
    observe: async () => ({}),
    thaw: async () => undefined,
    results: () => ({ position: {}, artifacts: {}, warnings: [] }),
  };
}
