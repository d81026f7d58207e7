/** What a pod has come to. Pure, so that every case is a test. */
import type { ContainerStatus, Pod } from '../objects';

/** How a container has ended. */
export interface Ended {
  readonly exitCode: number;
  /** As `Error`, `OOMKilled`. */
  readonly reason: string;
  /** The termination message. */
  readonly message: string | undefined;
}

/** Waiting reasons that do not pass by themselves, or not soon enough to keep a person waiting. */
const STUCK: readonly string[] = [
  'CreateContainerConfigError',
  'CreateContainerError',
  'ErrImageNeverPull',
  'ErrImagePull',
  'ImageInspectError',
  'ImagePullBackOff',
  'InvalidImageName',
  'RunContainerError',
];

/** How one container of a pod has ended; undefined as long as it has not. */
export function endOf(pod: Pod, container: string): Ended | undefined {
  const terminated = statusOf(pod, container)?.state?.terminated;
  if (terminated === undefined) return podFailure(pod);
  const { exitCode, reason = exitCode === 0 ? 'Completed' : 'Error', message } = terminated;
  return { exitCode, reason, message };
}

/** Why a container cannot start, as a part of a sentence; undefined when it can, or may yet. */
export function stuckOn(pod: Pod): string | undefined {
  for (const { name, state } of pod.status?.containerStatuses ?? []) {
    const { reason = '', message } = state?.waiting ?? {};
    if (STUCK.includes(reason)) return `its container ${name} cannot start: ${message ?? reason} (${reason})`;
  }
  return undefined;
}

/** What a pod is waiting for, as a part of a sentence: for messages when the time is up. */
export function waitingFor(pod: Pod): string {
  const unmet = pod.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status !== 'True');
  if (unmet?.message !== undefined) return unmet.message;
  const waiting = pod.status?.containerStatuses?.find(({ state }) => state?.waiting !== undefined)?.state?.waiting;
  if (waiting === undefined) return `it is ${pod.status?.phase ?? 'not there yet'}`;
  return waiting.message ?? waiting.reason ?? 'its containers are not there yet';
}

/** Whether the cluster itself has taken the pod away (drained, evicted, preempted): its Job makes another one. */
export function isDisrupted(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'DisruptionTarget' && status === 'True') ?? false;
}

/** A pod that was refused by its node or has lost it never comes to container statuses of its own. */
function podFailure({ status }: Pod): Ended | undefined {
  if (status?.phase !== 'Failed') return undefined;
  const { reason = 'Failed', message } = status;
  return { exitCode: -1, reason, message };
}

function statusOf(pod: Pod, container: string): ContainerStatus | undefined {
  return pod.status?.containerStatuses?.find(({ name }) => name === container);
}
