/** Waits for the server of a clone. */
import { StillpointError } from '../../errors';
import { PODS, type Pod } from '../objects';
import { stuckOn, waitingFor } from '../restore/pod-state';
import { SERVER_CONTAINER } from '../restore/pods';
import { until, type Waiting } from '../until';

const LOG_LINES = 15;

/** Waits until the pod of a clone's StatefulSet is ready. Throws clone-failed, with the end of the server's log. */
export async function untilServing(waiting: Waiting, namespace: string, pod: string): Promise<void> {
  let last: Pod | undefined;
  const look = (seen: Pod): true | undefined => {
    last = seen;
    const stuck = stuckOn(seen) ?? crashing(seen);
    if (stuck !== undefined) throw new StillpointError('clone-failed', `pod ${namespace}/${pod} hangs: ${stuck}`);
    const ready = seen.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    return ready === true ? true : undefined;
  };
  try {
    await until(waiting, PODS, { namespace, fields: { 'metadata.name': pod } }, look);
  } catch (thrown) {
    if (!waiting.signal.aborted && !(thrown instanceof StillpointError && thrown.code === 'clone-failed')) throw thrown;
    const log = await waiting.client.log({ name: pod, namespace }, SERVER_CONTAINER, LOG_LINES).catch(() => '');
    const reason = waiting.signal.aborted
      ? `pod ${namespace}/${pod} is not ready: ${last === undefined ? 'there is none yet' : waitingFor(last)}`
      : (thrown as Error).message;
    throw new StillpointError('clone-failed', reason, {
      hint: log.trim() === '' ? 'its log is empty' : `the end of its log:\n${log.trimEnd()}\n`,
      cause: thrown,
    });
  }
}

function crashing({ status }: Pod): string | undefined {
  const reasons = status?.containerStatuses?.map(({ state }) => state?.waiting?.reason) ?? [];
  return reasons.includes('CrashLoopBackOff') ? 'its server ends again and again' : undefined;
}
